/** Where the balancer's words go: its log, and the access log that the file asks for, lines of one sink. */
import type { EventLog, Output } from "../balancer/control/output.ts";
import { type AccessLines, NO_LINES } from "../balancer/control/records.ts";
import type { Slots } from "../balancer/control/slots.ts";
import type { Config, Service } from "../config/schema.ts";
import { accessLines } from "../observe/access-log.ts";
import type { Log, LogSink } from "../observe/log.ts";
import { routeNames } from "./route-names.ts";

export class ProcessOutput implements Output {
  readonly #node: string;
  readonly #log: Log;
  readonly #sink: LogSink;

  constructor(node: string, log: Log, sink: LogSink) {
    this.#node = node;
    this.#log = log;
    this.#sink = sink;
  }

  get log(): EventLog {
    return this.#log;
  }

  write(line: string): void {
    this.#sink.write(line);
  }

  dropped(): number {
    return this.#sink.dropped();
  }

  accessLines({ log, services }: Config, slots: Slots, fingerprintKey: Uint8Array): AccessLines {
    if (!log.access) return NO_LINES;
    const slotOf = (service: Service) => slots.service(service.name);
    const all = Object.values(services);
    const routes = new Map(all.map((service) => [slotOf(service), routeNames(service)]));
    const http = new Set(all.filter(({ protocol }) => protocol === "http").map(slotOf));
    return accessLines({
      node: this.#node,
      users: log.users,
      fingerprintKey,
      format: log.format,
      isHttp: (slot) => http.has(slot),
      names: {
        service: (slot) => slots.serviceName(slot),
        route: (slot, index) => routes.get(slot)?.[index],
        pool: (slot) => slots.poolName(slot),
        server: (id) => {
          const name = slots.nameOf(id);
          return name?.slice(name.indexOf("/") + 1);
        },
      },
    });
  }

  follow({ log }: Config): void {
    this.#log.setLevel(log.level);
    // Whoever moved the log file away tells by a reload, as SIGHUP is one.
    this.#sink.reopen();
  }
}
