/** TLS channels on a poller of the test's own, in the test's own thread; peers are channels too, sockets, or programs. */
import type { Plan, PoolPlan, ServerPlan, ServerTlsPlan, ServicePlan, TlsPlan } from "../../../../src/balancer/plan.ts";
import { type Channel, type ChannelOwner, LOST, NOTHING_YET } from "../../../../src/balancer/worker/channel.ts";
import { SocketChannel, type SocketContext } from "../../../../src/balancer/worker/socket-channel.ts";
import { TlsTargets } from "../../../../src/balancer/worker/tls/client-context.ts";
import type { Sites } from "../../../../src/balancer/worker/tls/sites.ts";
import { SiteStore } from "../../../../src/balancer/worker/tls/sites.ts";
import { HANDSHAKE_DONE, TlsChannel } from "../../../../src/balancer/worker/tls/tls-channel.ts";
import { sys } from "../../../../src/os/libc.ts";
import { Poller, READABLE } from "../../../../src/os/poller.ts";
import { dial, localAddress } from "../../../../src/os/socket.ts";
import { parseAddress } from "../../../../src/protocols/address.ts";
import { newClientHello, readClientHello } from "../../../../src/protocols/tls/client-hello.ts";
import { accept, listen, loopback } from "../../bytes/sockets.ts";
import type { Issued } from "./certificates.ts";

const NO_BYTES = new Uint8Array(0);
const scratch = new Uint8Array(16 * 1024);

export const poller = new Poller();
/** Descriptors that channels have and have not closed. */
export const open = new Set<number>();
export const context = { poller, ledger: { disown: (fd: number) => open.delete(fd) } } as unknown as SocketContext;

/** Turns the loop until `reached`, and the runtime's own in between, where the test's other peers live. */
export async function until(reached: () => boolean): Promise<void> {
  while (!reached()) {
    const ready = poller.wait(1);
    if (ready > 0) poller.dispatch(ready);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** One end of a connection: what came, what became of it, what is still to be written. */
export class End implements ChannelOwner {
  channel: Channel | null = null;
  tls: TlsChannel | null = null;
  established = false;
  ended = false;
  lost = false;
  /** Reads nothing for now. */
  paused = false;
  readonly received: Uint8Array[] = [];
  receivedBytes = 0;
  /** Written as fast as the channel takes it; `endWhenWritten` then. */
  #toWrite: Uint8Array = NO_BYTES;
  #endWhenWritten = false;
  /** Keeps what came; off for large transfers. */
  keeps = true;
  hash = new Bun.CryptoHasher("sha256");
  onEstablished: () => void = () => {};
  onBytes: (bytes: Uint8Array) => void = () => {};
  onEnded: () => void = () => {};

  begin(tls: TlsChannel): void {
    this.channel = tls;
    this.tls = tls;
    open.add(tls.fd);
    tls.watch();
    this.onChannel();
  }

  onChannel(): void {
    if (!this.established && !this.#shakeHands()) return;
    this.#write();
    this.read();
  }

  #shakeHands(): boolean {
    const result = this.tls!.handshake();
    if (result === LOST) this.lost = true;
    this.established = result === HANDSHAKE_DONE;
    if (this.established) this.onEstablished();
    return this.established;
  }

  read(): void {
    const channel = this.channel!;
    while (channel.readable && !this.paused && !this.ended && !this.lost) {
      const read = channel.read(scratch, scratch.length);
      if (read === NOTHING_YET) return;
      if (read === LOST) this.lost = true;
      else if (read === 0) {
        this.ended = true;
        this.onEnded();
      } else {
        const bytes = scratch.slice(0, read);
        this.receivedBytes += read;
        this.hash.update(bytes);
        if (this.keeps) this.received.push(bytes);
        this.onBytes(bytes);
      }
    }
  }

  resume(): void {
    this.paused = false;
    this.read();
  }

  write(bytes: Uint8Array | string, thenEnd = false): void {
    const more = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    this.#toWrite = this.#toWrite.length === 0 ? more : Buffer.concat([this.#toWrite, more]);
    this.#endWhenWritten = thenEnd;
    if (this.established) this.#write();
  }

  get unwritten(): number {
    return this.#toWrite.length;
  }

  #write(): void {
    while (this.#toWrite.length > 0) {
      const taken = this.channel!.write(this.#toWrite, Math.min(this.#toWrite.length, 200_000));
      if (taken === LOST) {
        this.lost = true;
        return;
      }
      this.#toWrite = this.#toWrite.subarray(taken);
      if (!this.channel!.writable) return;
    }
    if (!this.#endWhenWritten) return;
    this.#endWhenWritten = false;
    this.channel!.end();
  }

  get text(): string {
    return Buffer.concat(this.received).toString();
  }
}

/** Listens on 127.0.0.1, reads each ClientHello as the balancer does, and serves it with the sites of `store`. */
export class TlsServer {
  readonly store = new SiteStore();
  readonly port: number;
  readonly #fd: number;
  readonly ends: End[] = [];
  #tls: TlsPlan;
  /** What each connection does from the beginning. */
  onEnd: (end: End) => void = () => {};
  /** Connections that ended before a ClientHello. */
  refused = 0;

  constructor(plan: TlsPlan, ticketKeys: readonly Uint8Array[] = [new Uint8Array(80).fill(1)]) {
    const { fd, port } = listen();
    this.#fd = fd;
    this.port = port;
    this.#tls = plan;
    this.adopt(plan, ticketKeys);
    poller.add(fd, READABLE, { onReady: () => this.#accept() });
  }

  adopt(plan: TlsPlan, ticketKeys: readonly Uint8Array[]): void {
    this.store.adopt({ ticketKeys, services: [{ tls: plan } as ServicePlan] } as unknown as Plan);
    this.#tls = plan;
  }

  get sites(): Sites {
    return this.store.of(this.#tls);
  }

  #accept(): void {
    for (;;) {
      const fd = accept(this.#fd);
      if (fd < 0) return;
      open.add(fd);
      new Front(this, fd);
    }
  }

  close(): void {
    poller.remove(this.#fd);
    sys.close(this.#fd);
    for (const { channel } of this.ends) channel?.close(true);
  }
}

/** From accept to the ClientHello. */
class Front implements ChannelOwner {
  readonly #server: TlsServer;
  readonly #channel: SocketChannel;
  #early: Uint8Array = NO_BYTES;

  constructor(server: TlsServer, fd: number) {
    this.#server = server;
    this.#channel = new SocketChannel(context, fd, this);
    this.#channel.watch();
  }

  onChannel(): void {
    const read = this.#channel.read(scratch, scratch.length);
    if (read === NOTHING_YET) return;
    if (read > 0) this.#early = Buffer.concat([this.#early, scratch.subarray(0, read)]);
    const hello = newClientHello();
    const used = readClientHello(this.#early, 0, this.#early.length, hello);
    if (used === 0 && read > 0) return;
    if (used < 0 || read <= 0) {
      this.#server.refused++;
      return this.#channel.close(false);
    }
    const name = Buffer.from(hello.serverName.subarray(0, hello.serverNameLength)).toString("latin1");
    const dialled = new Uint8Array(16);
    const fd = this.#channel.handOver();
    localAddress(fd, dialled);
    const end = new End();
    this.#server.ends.push(end);
    this.#server.onEnd(end);
    end.begin(TlsChannel.accept(context, this.#server.sites.find(name, dialled), fd, this.#early, name, end));
  }
}

export const LOCALHOST = parseAddress("127.0.0.1")!;

/** What a server is called towards TLS. */
export function targets(tls: Partial<ServerTlsPlan>, host = "", store = new TlsTargets()) {
  const plan: ServerTlsPlan = {
    ...{ ca: "", verify: "full", name: "", minimum: "TLSv1.2", ciphers: "", cipherSuites: "", certificate: null },
    ...tls,
  };
  const server = { id: 1, name: "s", address: LOCALHOST, port: 1, host } as unknown as ServerPlan;
  store.adopt({ pools: [{ tls: plan, servers: [server] } as unknown as PoolPlan] } as unknown as Plan);
  return store.of(server);
}

/** Dials 127.0.0.1 and begins TLS with it. */
export function connect(
  port: number,
  target: ReturnType<typeof targets>,
  alpn: Uint8Array | null = null,
  set = (_end: End) => {},
): End {
  const end = new End();
  set(end);
  end.begin(TlsChannel.connect(context, target, dial(loopback(1, port)), alpn, end));
  return end;
}

export function tlsPlan(
  certificates: readonly (Issued & { names: string[]; address?: Uint8Array })[],
  more: Partial<TlsPlan> = {},
): TlsPlan {
  return { certificates, minimum: "TLSv1.2", ciphers: "", cipherSuites: "", alpn: [], clients: null, ...more };
}

/** Runs a program while the loop turns. @returns its code and what it wrote. */
export async function run(command: string[], input = ""): Promise<{ code: number; out: string }> {
  const child = Bun.spawn(command, { stdin: new Blob([input]), stdout: "pipe", stderr: "pipe" });
  let done = false;
  const result = Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()]).then(
    ([code, out, err]) => {
      done = true;
      return { code, out: out + err };
    },
  );
  await until(() => done);
  return result;
}
