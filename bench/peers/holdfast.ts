/** Holdfast as it is measured. */
import { COOKIE, LISTENERS, type Peer, written } from "../peers.ts";
import type { Endpoint } from "../sockets.ts";

const listed = (servers: Endpoint[]) => servers.map(({ host, port }, n) => `      s${n}: ${host}:${port}`).join("\n");

export function holdfast(name: string, executable: string): Peer {
  return {
    name,
    ours: true,
    listeners: LISTENERS,
    version: [executable, "--version"],
    prepare({ listen, servers, webServers, certificates: { p256, rsa }, threads, folder }) {
      const web = "protocol: http, pool: web, timeouts: { keep-alive: 1h }";
      const lean = `${web}, forwarded: off, request-id: false`;
      return written(
        folder,
        "holdfast.yaml",
        `
data: ${folder}/data
workers: ${threads}
log: { access: false, level: warn }
shutdown: { within: 1s }
services:
  plain: { listen: 127.0.0.1:${listen.tcp}, protocol: tcp, pool: relayed }
  desktops: { listen: 127.0.0.1:${listen.rdp}, protocol: rdp, pool: remembered }
  http: { listen: 127.0.0.1:${listen.http}, ${lean} }
  forwarded: { listen: 127.0.0.1:${listen.forwarded}, ${web}, forwarded: replace }
  streams: { listen: 127.0.0.1:${listen.streams}, ${lean} }
  https:
    { listen: 127.0.0.1:${listen.https}, ${lean}, tls: { certificates: [{ cert: ${p256.cert}, key: ${p256.key} }] } }
  rsa:
    { listen: 127.0.0.1:${listen.rsa}, ${lean}, tls: { certificates: [{ cert: ${rsa.cert}, key: ${rsa.key} }] } }
pools:
  relayed:
    algorithm: least-connections
    servers:
${listed(servers)}
  remembered:
    algorithm: least-connections
    persistence: { by: [token, user], idle: 8h }
    servers:
${listed(servers)}
  web:
    algorithm: least-connections
    persistence: { by: cookie, name: ${COOKIE} }
    servers:
${listed(webServers)}
`,
        (file) => [executable, "up", "-c", file],
      );
    },
  };
}
