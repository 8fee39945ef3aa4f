/**
 * A connection to a server that is one client's alone and that nobody else may be served over: a login belongs to it
 * (login.ts), or a PROXY header has named the client in it. Kept between two requests of the client's connection.
 */
import { ADDRESS_BYTES } from "../../../protocols/address.ts";
import type { Candidate } from "../../candidate.ts";
import type { Client } from "../../client.ts";
import { type Channel, type ChannelOwner, NOTHING_YET } from "../channel.ts";

const ONE_BYTE = new Uint8Array(1);

export class OwnConnection implements ChannelOwner {
  #channel: Channel | null = null;
  #server: Candidate | null = null;
  #port = 0;
  /** Whose it is: a trusted proxy's connection carries requests of many. */
  readonly #source = new Uint8Array(ADDRESS_BYTES);
  #sourcePort = 0;

  /** Keeps it for the client's next request, in place of the one that was kept before. */
  keep(server: Candidate, port: number, client: Client, channel: Channel): void {
    this.close();
    channel.owner = this;
    this.#channel = channel;
    this.#server = server;
    this.#port = port;
    this.#source.set(client.source);
    this.#sourcePort = client.sourcePort;
  }

  /** What is kept, if it leads to `server` and is this client's: the caller's now. */
  take(server: Candidate, port: number, client: Client): Channel | null {
    const channel = this.#channel;
    if (channel === null || this.#server !== server || this.#port !== port || !this.#isOf(client)) return null;
    this.#channel = null;
    return channel;
  }

  #isOf({ source, sourcePort }: Client): boolean {
    if (sourcePort !== this.#sourcePort) return false;
    for (let i = 0; i < ADDRESS_BYTES; i++) if (source[i] !== this.#source[i]) return false;
    return true;
  }

  /** The server has ended it, or says what nobody asked for. */
  onChannel(channel: Channel): void {
    if (channel === this.#channel && channel.readable && channel.read(ONE_BYTE, 1) !== NOTHING_YET) this.close();
  }

  close(): void {
    this.#channel?.close(false);
    this.#channel = null;
  }
}
