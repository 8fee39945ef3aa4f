/** One way of a relay between real sockets whose buffers are small, so that the sink often takes a part or nothing. */
import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { Ledger } from "../../../src/balancer/shared/ledger.ts";
import { SocketChannel } from "../../../src/balancer/worker/socket-channel.ts";
import { ENDED, MORE, READ_BYTES, RelayTools, SOURCE_FAILED, WAITING, Way } from "../../../src/balancer/worker/way.ts";
import { ECONNRESET, EPIPE, sys } from "../../../src/os/libc.ts";
import { Poller } from "../../../src/os/poller.ts";
import { abort, MSG_DONTWAIT, MSG_NOSIGNAL, SHUT_WR } from "../../../src/os/socket.ts";
import { seeded } from "../../seeded.ts";
import { fillNoise, Stream } from "../bytes/noise.ts";
import { accept, connect, limitReceiveBuffer, listen } from "../bytes/sockets.ts";
import { testMemory } from "../shared/shared-memory.ts";

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const TURNS = 200_000;

fillNoise(seeded(1));
const tools = new RelayTools();
const open = new Set<number>();
const { buffer: memory, layout } = testMemory({ files: 4096 });
const context = { poller: new Poller(), ledger: new Ledger(memory, layout, 0) };
const nobody = { onChannel() {} };

afterEach(() => {
  for (const fd of open) sys.close(fd);
  open.clear();
});

/** A connection: the end that the relay has, and the far one. */
function connection(): { near: number; far: number } {
  const listener = listen();
  const far = connect(1, listener.port, 0);
  const near = accept(listener.fd);
  sys.close(listener.fd);
  open.add(near).add(far);
  return { near, far };
}

/** A way with its ends, and their far ends. */
interface Ends {
  readonly way: Way;
  readonly source: SocketChannel;
  readonly sink: SocketChannel;
  readonly from: number;
  readonly to: number;
}

/** Source and sink of a way, with little room towards the sink's far end. */
function wayBetween(): Ends {
  const one = connection();
  const other = connection();
  sys.setsockopt(other.near, SOL_SOCKET, SO_SNDBUF, new Int32Array([4096]), 4);
  limitReceiveBuffer(other.far, 65_536);
  const source = new SocketChannel(context, one.near, nobody);
  const sink = new SocketChannel(context, other.near, nobody);
  return { way: new Way(source, sink, 0), source, sink, from: one.far, to: other.far };
}

/** As if epoll had said that both sockets are ready. */
function pump({ way, source, sink }: Ends): number {
  source.readable = true;
  sink.writable = true;
  return way.pump(tools);
}

const buffer = new Uint8Array(1 << 16);
const read = (fd: number): number => Number(sys.recv(fd, buffer, buffer.length, MSG_DONTWAIT));
const write = (fd: number, bytes: Uint8Array): number =>
  Math.max(0, Number(sys.send(fd, bytes, bytes.length, MSG_NOSIGNAL | MSG_DONTWAIT)));

function close(fd: number): void {
  open.delete(fd);
  sys.close(fd);
}

describe("one way of a relay", () => {
  test.each([100, 3000, READ_BYTES - 1, READ_BYTES, 100_000])(
    "delivers pieces of %d bytes whole and in order to a sink that is slow",
    (piece) => {
      const ends = wayBetween();
      const { way, from, to } = ends;
      const stream = new Stream(1, Math.min(piece * 2000, 3_000_000), 77);
      let sent = 0;
      let received = 0;
      let held = 0;
      let ended = WAITING;
      for (let turn = 0; turn < TURNS && ended !== ENDED; turn++) {
        if (sent < stream.bytes) sent += write(from, stream.piece(sent, piece));
        if (sent === stream.bytes) sys.shutdown(from, SHUT_WR);
        ended = pump(ends);
        held += way.holding ? 1 : 0;
        // It reads every third time only.
        const got = turn % 3 === 0 ? read(to) : 0;
        if (got <= 0) continue;
        expect(stream.matches(received, buffer.subarray(0, got))).toBe(true);
        received += got;
      }
      expect(ended).toBe(ENDED);
      way.passOn();
      for (let got = read(to); got !== 0; got = read(to)) if (got > 0) received += got;
      expect(received).toBe(stream.bytes);
      expect(way.bytes).toBe(stream.bytes);
      // Pieces of 100 bytes are read faster than they can be sent.
      if (piece > 100) expect(held).toBeGreaterThan(10);
    },
  );

  test("sends the first bytes before all others, however little the sink takes at once", () => {
    const ends = wayBetween();
    const { way, from, to } = ends;
    const stream = new Stream(1, 500_000, 3);
    const first = new Uint8Array(400_000);
    for (let at = 0; at < first.length; ) {
      const piece = stream.piece(at, first.length - at);
      first.set(piece, at);
      at += piece.length;
    }
    way.holdFirst(first);
    let sent = first.length;
    let received = 0;
    for (let turn = 0; turn < TURNS && received < stream.bytes; turn++) {
      if (sent < stream.bytes) sent += write(from, stream.piece(sent, 1000));
      pump(ends);
      const got = read(to);
      if (got <= 0) continue;
      expect(stream.matches(received, buffer.subarray(0, got))).toBe(true);
      received += got;
    }
    expect(received).toBe(stream.bytes);
  });

  test("tells of the source's end only when everything before it is out", () => {
    const ends = wayBetween();
    const { way, from, to } = ends;
    const stream = new Stream(1, 400_000, 5);
    let sent = 0;
    for (let turn = 0; turn < TURNS && sent < stream.bytes; turn++) {
      sent += write(from, stream.piece(sent, 10_000));
      expect(pump(ends)).not.toBe(ENDED);
      if (way.holding && sent < stream.bytes) break;
    }
    expect(way.holding).toBe(true);
    sys.shutdown(from, SHUT_WR);
    expect(pump(ends)).toBe(WAITING);
    let received = 0;
    for (let turn = 0; turn < TURNS && pump(ends) !== ENDED; turn++) received += Math.max(0, read(to));
    for (let got = read(to); got > 0; got = read(to)) received += got;
    expect(received).toBe(sent);
  });

  test("takes no end for one that comes after the source's reset", () => {
    const ends = wayBetween();
    const { source, from } = ends;
    open.delete(from);
    abort(from);
    // The kernel tells of a reset once, and here a write hears it.
    source.write(buffer, 1);
    expect(pump(ends)).toBe(SOURCE_FAILED);
  });

  test("says that the source has failed, once what came before the reset is out", () => {
    const ends = wayBetween();
    const { from, to } = ends;
    write(from, new Stream(1, 1000, 5).piece(8, 500));
    expect(pump(ends)).toBe(WAITING);
    open.delete(from);
    abort(from);
    expect(pump(ends)).toBe(SOURCE_FAILED);
    expect(read(to)).toBe(500);
  });

  test.each([1000, 60_000])("drops pieces of %d bytes for a sink that has reset, until the source ends", (piece) => {
    const ends = wayBetween();
    const { way, sink, from, to } = ends;
    const stream = new Stream(1, 3_000_000, 9);
    open.delete(to);
    abort(to);
    let sent = 0;
    let result = MORE;
    for (let turn = 0; turn < TURNS && result !== ENDED; turn++) {
      if (sent < stream.bytes) sent += write(from, stream.piece(sent, piece));
      else sys.shutdown(from, SHUT_WR);
      result = pump(ends);
    }
    expect(result).toBe(ENDED);
    expect(way).toMatchObject({ sinkGone: true, bytes: stream.bytes, holding: false });
    expect(sink.lostBy).toBe(ECONNRESET);
  });

  test("knows a sink that closed after it had ended its own sending from one that reset", () => {
    const ends = wayBetween();
    const { way, sink, from, to } = ends;
    sys.shutdown(to, SHUT_WR);
    close(to);
    for (let turn = 0; turn < TURNS && !way.sinkGone; turn++) {
      write(from, buffer.subarray(0, 1000));
      pump(ends);
    }
    expect(way.sinkGone).toBe(true);
    expect(sink.lostBy).toBe(EPIPE);
  });

  test("gives back its pipe with whatever is in it", () => {
    const ends = wayBetween();
    const { way, source, from } = ends;
    const own = new RelayTools();
    const files = readdirSync("/proc/self/fd").length;
    for (let turn = 0; turn < TURNS && !way.holding; turn++) {
      write(from, buffer);
      source.readable = true;
      way.pump(own);
    }
    expect(readdirSync("/proc/self/fd")).toHaveLength(files + 2);
    way.dispose(own);
    expect(way.holding).toBe(false);
    expect(readdirSync("/proc/self/fd")).toHaveLength(files);
  });
});
