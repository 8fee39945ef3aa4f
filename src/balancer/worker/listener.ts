/** One listening socket of a worker: takes connections as they come, a bounded number in a turn. */
import { EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM, errno } from "../../os/libc.ts";
import type { Pollable } from "../../os/poller.ts";
import { abort, accept, readSocketAddress, SOCKADDR_BYTES } from "../../os/socket.ts";
import { ServiceCounter } from "../shared/service-view.ts";
import { EndCode, RefusalCode } from "../shared/words.ts";
import { Arrival } from "./arrival.ts";
import type { WorkerContext } from "./context.ts";
import type { ServiceRuntime } from "./service.ts";

/** Accepted in one turn of the loop, so that established connections are served as well. */
const ACCEPTS = 64;
/** The same where TLS begins: each may cost a signature of a millisecond. */
const TLS_ACCEPTS = 8;
/** Without descriptors or memory: new connections wait in the kernel's queue this long. */
const REST_MS = 100;

export class Listener implements Pollable {
  readonly fd: number;
  service: ServiceRuntime;
  /** Not before this: there were no descriptors, or no memory. */
  restUntilMs = 0;
  readonly #plane: WorkerContext;
  readonly #onAccepted: (arrival: Arrival) => void;
  readonly #peer = new Uint8Array(SOCKADDR_BYTES);

  constructor(plane: WorkerContext, fd: number, service: ServiceRuntime, onAccepted: (arrival: Arrival) => void) {
    this.#onAccepted = onAccepted;
    this.#plane = plane;
    this.fd = fd;
    this.service = service;
  }

  onReady(): void {
    const accepts = this.service.plan.tls === null ? ACCEPTS : TLS_ACCEPTS;
    for (let left = accepts; left > 0; left--) {
      const fd = accept(this.fd, this.#peer);
      if (fd >= 0) {
        this.#take(fd);
        continue;
      }
      const code = errno();
      if (code === EAGAIN) return;
      // A client that has gone again while it waited (accept(2)): the next one may be there.
      if (code !== EMFILE && code !== ENFILE && code !== ENOBUFS && code !== ENOMEM) continue;
      this.service.view.count(ServiceCounter.REFUSED + RefusalCode["no-files"], 1);
      this.restUntilMs = this.#plane.nowMs + REST_MS;
      break;
    }
    this.#plane.acceptLater(this);
  }

  #take(fd: number): void {
    const { service } = this;
    const plane = this.#plane;
    service.view.count(ServiceCounter.TOTAL, 1);
    if (!plane.ledger.own(fd, plane.column)) return this.#turnAway(fd, RefusalCode["no-files"]);
    if (!service.view.reserve(service.plan.limits.connections)) {
      plane.ledger.disown(fd);
      return this.#turnAway(fd, RefusalCode["limit-service"]);
    }
    const arrival = new Arrival(plane, service, fd);
    arrival.client.sourcePort = readSocketAddress(this.#peer, arrival.client.source);
    this.#onAccepted(arrival);
    arrival.begin(service.plan.acceptProxy && service.trusts(arrival.client.source));
  }

  /** Nothing is known of the client yet and nothing is kept: this costs as little as it can. */
  #turnAway(fd: number, refusal: number): void {
    this.service.view.count(ServiceCounter.REFUSED + refusal, 1);
    this.service.view.count(ServiceCounter.ENDED + EndCode.limit, 1);
    abort(fd);
  }
}
