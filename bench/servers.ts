/**
 * The servers behind the balancers, in a process of their own: four addresses of the loopback network, each with the
 * 28,000 ports that a balancer may dial it from. Each speaks plain TCP, or RDP as far as the Connection Confirm, then
 * does what the client orders (`wire.ts`).
 *
 * Prints one line, `{"servers": [{"host": …, "port": …}, …]}`; ends when its standard input does.
 */
import { accept, close, EDGE, type Endpoint, IN, listenOn, MSG_TRUNC, OUT, Poller, receive, send } from "./sockets.ts";
import { CONNECTION_CONFIRM, DOWN, ECHO, ORDER_SIZE, TPKT_VERSION, UP } from "./wire.ts";

const HOSTS = ["127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"];
const STDIN = 0;

interface Client {
  doing: number;
  /** Bytes left to send or to take. */
  left: number;
}

const poller = new Poller();
const clients: (Client | undefined)[] = [];
const listeners = new Set<number>();
const buffer = new Uint8Array(256 * 1024);
const source = new Uint8Array(1024 * 1024);
const DONE = new Uint8Array(1);

const servers: Endpoint[] = HOSTS.map((host) => {
  const { fd, port } = listenOn(host);
  listeners.add(fd);
  poller.add(fd, IN);
  return { host, port };
});
console.log(JSON.stringify({ servers }));
poller.add(STDIN, IN);

for (;;) {
  const events = poller.wait(-1);
  for (let event = 0; event < events; event++) {
    const fd = poller.fd(event);
    if (fd === STDIN) process.exit(0);
    if (listeners.has(fd)) welcome(fd);
    else serve(fd, clients[fd]!);
  }
}

function welcome(listener: number): void {
  for (let fd = accept(listener); fd >= 0; fd = accept(listener)) {
    clients[fd] = { doing: 0, left: 0 };
    poller.add(fd, IN);
  }
}

function serve(fd: number, client: Client): void {
  if (client.doing === DOWN && client.left > 0) {
    pour(fd, client);
    return;
  }
  const got = receive(fd, buffer, client.doing === UP ? MSG_TRUNC : 0);
  if (got === -1) return;
  if (got <= 0) leave(fd);
  else if (client.doing === ECHO) echo(fd, got);
  else if (client.doing === UP) take(fd, client, got);
  else begin(fd, client, got);
}

/** The client's first bytes: a Connection Request is confirmed, an order is begun. Each comes whole, for it is short. */
function begin(fd: number, client: Client, got: number): void {
  if (buffer[0] === TPKT_VERSION) {
    send(fd, CONNECTION_CONFIRM);
    return;
  }
  client.doing = buffer[0]!;
  client.left = new DataView(buffer.buffer).getFloat64(8, true);
  if (client.doing === ECHO) echo(fd, got);
  else if (client.doing === UP) take(fd, client, got - ORDER_SIZE);
  else if (client.doing === DOWN) {
    poller.change(fd, IN | OUT | EDGE);
    pour(fd, client);
  } else leave(fd);
}

/** What is echoed is so short that it always fits. */
function echo(fd: number, got: number): void {
  if (send(fd, buffer, got) !== got) leave(fd);
}

function take(fd: number, client: Client, got: number): void {
  client.left -= got;
  if (client.left <= 0) send(fd, DONE);
}

function pour(fd: number, client: Client): void {
  while (client.left > 0) {
    const sent = send(fd, source, Math.min(client.left, source.length));
    if (sent <= 0) {
      if (sent < 0) leave(fd);
      return;
    }
    client.left -= sent;
  }
}

function leave(fd: number): void {
  clients[fd] = undefined;
  close(fd);
}
