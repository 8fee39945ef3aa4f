/** Behind an upgrade (101): bytes of another protocol, both ways, for as long as both sides like. */
import { keepAlive } from "../../../os/socket.ts";
import type { Channel } from "../channel.ts";
import { Relay, type RelayOwner, type RelayTimeouts } from "../relay.ts";
import type { Exchange } from "./exchange.ts";
import type { HttpConnection } from "./http-connection.ts";

export class Tunnel implements RelayOwner {
  readonly relay: Relay;
  readonly #connection: HttpConnection;
  readonly #exchange: Exchange;
  readonly #server: Channel;

  constructor(connection: HttpConnection, exchange: Exchange, server: Channel) {
    this.#connection = connection;
    this.#exchange = exchange;
    this.#server = server;
    this.relay = new Relay(connection.worker.plane, connection.visit.channel, server, this, 0);
  }

  get timeouts(): RelayTimeouts {
    return this.#connection.service.plan.timeouts;
  }

  get touchMs(): number {
    return this.#exchange.placement.decision.pool!.touchMs;
  }

  /** `fromClient` and `fromServer` were read already and go first. */
  begin(fromClient: Uint8Array, fromServer: Uint8Array): void {
    this.relay.toServer.holdFirst(fromClient);
    this.relay.toClient.holdFirst(fromServer);
    this.relay.begin();
  }

  cameIn(bytes: number): void {
    this.#exchange.account.countIn(bytes);
  }

  cameOut(bytes: number): void {
    this.#exchange.account.countOut(bytes);
  }

  stillThere(): void {
    this.#exchange.touch();
    if (this.#server.fd >= 0) keepAlive(this.#server.fd);
  }

  onRelayEnd(end: number, withReset: boolean): void {
    this.#server.close(withReset);
    this.#connection.finish(end, withReset);
  }
}
