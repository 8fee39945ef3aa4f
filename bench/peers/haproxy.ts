/** HAProxy as it is measured, tuned as its manual says. */
import { COOKIE, LISTENERS, MOST_CONNECTIONS, type Peer, written } from "../peers.ts";

export function haproxy(name: string, executable: string): Peer {
  return {
    name,
    ours: false,
    listeners: LISTENERS,
    version: [executable, "-v"],
    prepare({ listen, servers, webServers, certificates: { p256, rsa }, threads, folder }) {
      const list = servers.map(({ host, port }, n) => `  server s${n} ${host}:${port}`).join("\n");
      const web = `  cookie ${COOKIE} insert indirect nocache
${webServers.map(({ host, port }, n) => `  server s${n} ${host}:${port} cookie s${n}`).join("\n")}`;
      const tls = "alpn h2,http/1.1 ssl-min-ver TLSv1.2";
      return written(
        folder,
        "haproxy.cfg",
        `
global
  nbthread ${threads}
  maxconn ${MOST_CONNECTIONS}
defaults
  mode tcp
  option splice-auto
  balance leastconn
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen plain
  bind 127.0.0.1:${listen.tcp}
${list}
listen desktops
  bind 127.0.0.1:${listen.rdp}
  tcp-request inspect-delay 5s
  tcp-request content accept if RDP_COOKIE
  persist rdp-cookie
  stick-table type string len 64 size 1m expire 8h
  stick on rdp_cookie(mstshash)
${list}
defaults
  mode http
  option splice-auto
  option http-ignore-probes
  http-reuse always
  balance leastconn
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  timeout http-request 10s
  timeout http-keep-alive 1h
listen http
  bind 127.0.0.1:${listen.http}
${web}
listen forwarded
  bind 127.0.0.1:${listen.forwarded}
  unique-id-format %[uuid]
  unique-id-header X-Request-Id
  option forwardfor
  http-request del-header X-Forwarded-For
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
${web}
listen streams
  bind 127.0.0.1:${listen.streams}
  option http-no-delay
${web}
listen https
  bind 127.0.0.1:${listen.https} ssl crt ${p256.both} ${tls}
${web}
listen rsa
  bind 127.0.0.1:${listen.rsa} ssl crt ${rsa.both} ${tls}
${web}
`,
        (file) => [executable, "-db", "-f", file],
      );
    },
  };
}
