/**
 * The web servers behind the balancers, in a process of their own: four addresses of the loopback network. Each answers with
 * a page of 1 KB, gives and takes bytes, echoes WebSocket messages and streams (`wire.ts`); connections stay.
 *
 * Prints one line, `{"servers": [{"host": …, "port": …}, …]}`; ends when its standard input does.
 */
import { now } from "../clock.ts";
import { accept, close, EDGE, type Endpoint, IN, listenOn, MSG_TRUNC, OUT, Poller, receive, send } from "../sockets.ts";
import {
  BODY,
  BODY_BYTES,
  CLIENT_MESSAGE,
  SERVER_MESSAGE,
  STREAM_FILLING,
  STREAM_MESSAGE_BYTES,
  STREAM_RATE,
  WEBSOCKET_ACCEPT,
} from "./wire.ts";

const HOSTS = ["127.0.0.21", "127.0.0.22", "127.0.0.23", "127.0.0.24"];
const STDIN = 0;

/** What a connection is at. */
const HEAD = 0;
const TAKING = 1;
const POURING = 2;
const ECHOING = 3;
const STREAMING = 4;

interface Client {
  doing: number;
  /** Which of the servers it has dialled. */
  server: number;
  /** Bytes left to send or to take. */
  left: number;
  /** The beginning of a head, or of a message, whose rest has not come. */
  early: Buffer | null;
  /** That its stream has brought. */
  messages: number;
}

/** Streams are spread over a tenth of a second, a slot each millisecond: nothing comes in bursts. */
const SLOTS = 1000 / STREAM_RATE;
const SLOT_NS = 1e6;
const slots: Set<number>[] = Array.from({ length: SLOTS }, () => new Set());
const slotOf: number[] = [];
let streams = 0;
let nextStream = 0;
let slot = 0;
let slotAt = 0;

const poller = new Poller();
const clients: (Client | undefined)[] = [];
const listeners = new Map<number, number>();
const buffer = Buffer.alloc(256 * 1024);
const source = new Uint8Array(256 * 1024);
const text = (head: string, body = "") => Buffer.from(`HTTP/1.1 ${head}\r\n\r\n${body}`);
const pages = HOSTS.map((_, n) =>
  Buffer.concat([
    text(`200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${BODY_BYTES}`),
    Buffer.from(`${n}`),
    BODY.subarray(1),
  ]),
);
const TAKEN = text("200 OK\r\nContent-Length: 1", "1");
const UPGRADED = text(
  `101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${WEBSOCKET_ACCEPT}`,
);
/** Of "GET /page". */
const FIRST_OF_PAGE = "p".charCodeAt(0);
const STREAM_HEAD = text("200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked");
const CHUNK_HEAD = Buffer.from(`${STREAM_MESSAGE_BYTES.toString(16)}\r\n`);
const chunk = Buffer.concat([CHUNK_HEAD, Buffer.alloc(STREAM_MESSAGE_BYTES, STREAM_FILLING), Buffer.from("\r\n")]);

const servers: Endpoint[] = HOSTS.map((host, n) => {
  const { fd, port } = listenOn(host);
  listeners.set(fd, n);
  poller.add(fd, IN);
  return { host, port };
});
console.log(JSON.stringify({ servers }));
poller.add(STDIN, IN);

for (;;) {
  const events = poller.wait(streams > 0 ? 1 : -1);
  for (let event = 0; event < events; event++) {
    const fd = poller.fd(event);
    if (fd === STDIN) process.exit(0);
    const server = listeners.get(fd);
    if (server !== undefined) welcome(fd, server);
    else serve(fd, clients[fd]!);
  }
  if (streams > 0) tick();
}

function welcome(listener: number, server: number): void {
  for (let fd = accept(listener); fd >= 0; fd = accept(listener)) {
    clients[fd] = { doing: HEAD, server, left: 0, early: null, messages: 0 };
    poller.add(fd, IN);
  }
}

function serve(fd: number, client: Client): void {
  if (client.doing === POURING) {
    pour(fd, client);
    return;
  }
  const got = receive(fd, buffer, client.doing === TAKING ? MSG_TRUNC : 0);
  if (got === -1) return;
  if (got <= 0) leave(fd, client);
  else if (client.doing === TAKING) take(fd, client, got);
  else {
    const { early } = client;
    client.early = null;
    const bytes = early === null ? buffer.subarray(0, got) : Buffer.concat([early, buffer.subarray(0, got)]);
    if (client.doing === HEAD) answer(fd, client, bytes);
    else if (client.doing === ECHOING) echo(fd, client, bytes);
  }
}

/** One request at a time: balancers do not pipeline. The page is told by its first letter: nothing else has that one. */
function answer(fd: number, client: Client, bytes: Buffer): void {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) {
    client.early = Buffer.from(bytes);
    return;
  }
  if (bytes[5] === FIRST_OF_PAGE) {
    reply(fd, client, pages[client.server]!);
    return;
  }
  const head = bytes.toString("latin1", 0, end);
  const path = /^(?:GET|POST) \/(\w+)\/?(\d*)/.exec(head);
  if (path?.[1] === "down") {
    client.left = Number(path[2]);
    client.doing = POURING;
    poller.change(fd, IN | OUT | EDGE);
    reply(fd, client, text(`200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ${client.left}`));
    pour(fd, client);
  } else if (path?.[1] === "up") {
    client.left = Number(/^content-length: *(\d+)/im.exec(head)?.[1]);
    client.doing = TAKING;
    take(fd, client, bytes.length - end - 4);
  } else if (path?.[1] === "echo") {
    client.doing = ECHOING;
    reply(fd, client, UPGRADED);
  } else if (path?.[1] === "stream") {
    client.doing = STREAMING;
    reply(fd, client, STREAM_HEAD);
    if (streams++ === 0) slotAt = now();
    slotOf[fd] = nextStream++ % SLOTS;
    slots[slotOf[fd]!]!.add(fd);
  } else leave(fd, client);
}

/** What is answered is so short that it always fits. */
function reply(fd: number, client: Client, bytes: Buffer): void {
  if (send(fd, bytes) !== bytes.length) leave(fd, client);
}

function take(fd: number, client: Client, got: number): void {
  client.left -= got;
  if (client.left > 0) return;
  client.doing = HEAD;
  reply(fd, client, TAKEN);
}

function pour(fd: number, client: Client): void {
  while (client.left > 0) {
    const sent = send(fd, source, Math.min(client.left, source.length));
    if (sent < 0) leave(fd, client);
    if (sent <= 0) return;
    client.left -= sent;
  }
  client.doing = HEAD;
  poller.change(fd, IN);
}

function echo(fd: number, client: Client, bytes: Buffer): void {
  const left = bytes.length % CLIENT_MESSAGE.length;
  if (left > 0) client.early = Buffer.from(bytes.subarray(bytes.length - left));
  for (let at = left; at < bytes.length; at += CLIENT_MESSAGE.length) reply(fd, client, SERVER_MESSAGE);
}

/** Sends what is due on the streams. A message says when it was really sent, so a late one makes nobody look slow. */
function tick(): void {
  for (const until = now(); slotAt <= until; slotAt += SLOT_NS) {
    for (const fd of slots[slot]!) {
      const client = clients[fd]!;
      chunk.writeDoubleLE(now(), CHUNK_HEAD.length);
      chunk.writeDoubleLE(client.messages++, CHUNK_HEAD.length + 8);
      reply(fd, client, chunk);
    }
    slot = (slot + 1) % SLOTS;
  }
}

function leave(fd: number, client: Client): void {
  if (client.doing === STREAMING && slots[slotOf[fd]!]!.delete(fd)) streams--;
  clients[fd] = undefined;
  close(fd);
}
