/**
 * The unmodified streaming client of npm, as a program of its own: its cookie jar is one for the process. Runs on Node (see
 * clients.ts), takes what to do from its environment, and writes what happens as lines of JSON.
 */
import dns from "node:dns";
import { createRequire } from "node:module";
import net from "node:net";
import { createInterface } from "node:readline";
import type { ClientEvent, ClientOptions } from "./clients.ts";

const options: ClientOptions = JSON.parse(process.env.STREAMING_CLIENT ?? "{}");
const require = createRequire(`${process.cwd()}/`);

const say = (event: ClientEvent): void => void process.stdout.write(`${JSON.stringify(event)}\n`);

// Names of the test's own, as a hosts file would have them.
const lookup = dns.lookup;
dns.lookup = ((host: string, ...rest: [unknown, unknown]) => {
  const address = options.hosts[host] ?? host;
  return Reflect.apply(lookup, dns, [address, ...rest]);
}) as typeof dns.lookup;

// Where it is: its own address on loopback.
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (this: net.Socket, ...parameters: unknown[]) {
  const first = parameters[0];
  const target = Array.isArray(first) ? first[0] : first;
  if (typeof target === "object" && target !== null && !("path" in target && target.path)) {
    Object.assign(target, { localAddress: options.from });
  }
  return Reflect.apply(connect, this, parameters);
} as typeof connect;

const { LightstreamerClient, Subscription } =
  require("lightstreamer-client-node") as typeof import("lightstreamer-client-node");

const client = new LightstreamerClient(options.url, "TEST");
if (options.transport) client.connectionOptions.setForcedTransport(options.transport);
client.connectionOptions.setCookieHandlingRequired(true);
if (options.headers) client.connectionOptions.setHttpExtraHeaders(options.headers);
client.addListener({
  onStatusChange: (status: string) => {
    const { connectionDetails: details } = client;
    say({
      kind: "status",
      status,
      session: details.getSessionId() ?? "",
      node: details.getServerSocketName() ?? "",
      clientIp: details.getClientIp() ?? "",
    });
  },
  onServerError: (code: number, message: string) => say({ kind: "error", code, message }),
});

const subscription = new Subscription("MERGE", ["item"], ["count", "node"]);
subscription.addListener({
  onItemUpdate: (update) =>
    say({
      kind: "update",
      count: Number(update.getValue("count")),
      node: (update.getValue("node") ?? "").slice(0, 20),
    }),
});
client.subscribe(subscription);
client.connect();

createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "disconnect") client.disconnect();
  else if (line === "connect") client.connect();
  else if (line.startsWith("transport ")) client.connectionOptions.setForcedTransport(line.slice("transport ".length));
});
process.stdin.on("end", () => process.exit(0));
