/**
 * One question and its answer over TCP or TLS: connect, send, collect until the answer can be judged, close. What health
 * checks and agents have in common.
 *
 * Sockets of node:net and not Bun.connect: destroying one that is still connecting frees its descriptor at once (measured),
 * while a Bun socket that connects cannot be given up; a dead host checked every 2 s would hold some sixty of them.
 */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import type { Timing } from "./timing.ts";
import { failureText } from "./wording.ts";

/** Pieces an answer may come in: who sends byte by byte is not read for ever. */
const MAX_PIECES = 1024;

/** What is asked, and how the answer is judged. */
export interface Question<T> {
  /** Sent when connected (and, over TLS, when the certificate was accepted). Empty: nothing. */
  readonly send: Uint8Array;
  /** Bytes of an answer that are looked at, at most; what has come by then is judged as if nothing followed. */
  readonly limit: number;
  /** Speak TLS. */
  readonly tls?: TlsQuestion;
  /**
   * Judges the answer so far: the verdict, or undefined while more is needed. Called first with no bytes when connected.
   * `ended`: nothing more will come. Never throws.
   */
  judge(answer: Uint8Array, ended: boolean): T | undefined;
}

/** How TLS is spoken. PEM where a certificate or key stands. */
export interface TlsQuestion {
  /** Asked for, and what the certificate must be valid for if it is verified. */
  readonly name: string;
  readonly verify: boolean;
  /** Who may sign the certificate. Default: those that the system trusts. */
  readonly ca?: string;
  /** What we show: the certificate and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** Bytes that go before the handshake, such as a PROXY header. */
  readonly before?: Uint8Array;
}

/** A verdict, or why there is none: the reason in words ("connection refused"). */
export type Answer<T> = { readonly value: T } | { readonly failure: string };

/** Something under way. `done` never rejects; `cancel` closes everything and resolves it with a failure. */
export interface Pending<T> {
  readonly done: Promise<Answer<T>>;
  cancel(): void;
}

/** Asks `host:port`. After `timeoutMs`, name lookup included, the socket is closed whatever it was doing. */
export function ask<T>(
  host: string,
  port: number,
  question: Question<T>,
  timeoutMs: number,
  timing: Timing,
): Pending<T> {
  const { promise, resolve } = Promise.withResolvers<Answer<T>>();
  const within = spellMs(timeoutMs);
  let connected = false;
  let received = new Uint8Array(0);
  let pieces = 0;

  const { tls } = question;
  const sockets: Socket[] = [];
  const end = (answer: Answer<T>) => {
    stopTimer();
    for (const socket of sockets) socket.destroy();
    resolve(answer);
  };
  const stopTimer = timing.after(timeoutMs, () =>
    end({ failure: connected ? `no whole answer within ${within}` : `no connection within ${within}` }),
  );
  const judge = (ended: boolean) => {
    const value = question.judge(received, ended);
    if (value !== undefined) end({ value });
    else if (ended) end({ failure: received.length === 0 ? "closed without an answer" : "closed within the answer" });
  };

  const open = (socket: Socket): Socket => {
    sockets.push(socket);
    // Stays for good: an error after `end` has no other listener, and would end the process.
    socket.on("error", (error) => end({ failure: failureText(error) }));
    socket.once("close", () => end({ failure: "closed without an answer" }));
    return socket;
  };
  const talk = (socket: Socket, ready: "connect" | "secureConnect") => {
    socket.once(ready, () => {
      connected = true;
      if (question.send.length > 0) socket.write(question.send);
      judge(false);
    });
    socket.on("data", (piece: Uint8Array) => {
      if (++pieces > MAX_PIECES) return end({ failure: "answer in too many pieces" });
      const room = question.limit - received.length;
      received = Buffer.concat([received, piece.length > room ? piece.subarray(0, room) : piece]);
      judge(received.length === question.limit);
    });
    socket.once("end", () => judge(true));
  };

  if (tls === undefined) talk(open(connectTcp({ host, port })), "connect");
  else if (tls.before === undefined) talk(open(connectTls({ host, port, ...tlsOptions(tls) })), "secureConnect");
  else {
    const plain = open(connectTcp({ host, port }));
    plain.once("connect", () => {
      plain.write(tls.before!);
      talk(open(connectTls({ socket: plain, host, ...tlsOptions(tls) })), "secureConnect");
    });
  }
  return { done: promise, cancel: () => end({ failure: "cancelled" }) };
}

function tlsOptions({ name, verify, ca, cert, key }: TlsQuestion): ConnectionOptions {
  return {
    rejectUnauthorized: verify,
    // An address is no server name (RFC 6066 3); the certificate is then held against the address that is connected to.
    ...(isIP(name) === 0 && { servername: name }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && key !== undefined && { cert, key }),
  };
}

function spellMs(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${ms / 1000} s`;
}
