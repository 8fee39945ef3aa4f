/**
 * The streaming cluster of examples/streaming.yaml, its first service: TLS ends at the balancer, `push` is balanced with a
 * cookie, `push1` and `push2` are pinned by host.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { portLike } from "../ways.ts";
import { example, type Front, haproxy, holdfast, IS_REFERENCE } from "./front.ts";
import { NODES, PINNED, PUSH, type Stage } from "./stage.ts";
import { streamingSuite } from "./suite.ts";

const SERVERS = { push1: 9101, push2: 9102 };

streamingSuite({
  ports: async (node) => ({ plain: { port: await portLike(SERVERS[node]), clients: "forwarded" } }),
  async front(stage) {
    const port = await portLike(8443);
    const hosts = Object.fromEntries([PUSH, ...Object.values(PINNED)].map((name) => [name, "127.0.0.1"]));
    return { front: await (IS_REFERENCE ? reference : ours)(stage, port), port, hosts };
  },
});

async function ours(stage: Stage, port: number): Promise<Front> {
  const { authority } = stage;
  const push = authority.issue(PUSH, ...Object.values(PINNED));
  const other = authority.issue("*.other.test");
  const yaml = example("streaming.yaml", {
    "127.0.0.1:8443": `127.0.0.1:${port}`,
    "127.0.0.1:9443": `127.0.0.1:${await portLike(9443)}`,
    "127.0.0.1:8080": `127.0.0.1:${await portLike(8080)}`,
    "port: 8443": `port: ${port}`,
    "127.0.0.1:9101": `127.0.0.1:${stage.nodes.get("push1")!.port("plain")}`,
    "127.0.0.1:9102": `127.0.0.1:${stage.nodes.get("push2")!.port("plain")}`,
    "certs/push.crt": push.cert,
    "certs/push.key": push.key,
    "certs/other.crt": other.cert,
    "certs/other.key": other.key,
  });
  return holdfast(yaml, ["push"]);
}

async function reference(stage: Stage, port: number): Promise<Front> {
  const { cert, key } = stage.authority.issue(PUSH, ...Object.values(PINNED));
  const pem = join(stage.authority.folder, "push.pem");
  writeFileSync(pem, readFileSync(cert, "utf8") + readFileSync(key, "utf8"));
  const server = (node: (typeof NODES)[number]): string => `127.0.0.1:${stage.nodes.get(node)!.port("plain")}`;
  return haproxy(
    `
frontend push
  mode http
  bind 127.0.0.1:${port} ssl crt ${pem} alpn http/1.1
  http-request del-header X-Forwarded-For
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-Port ${port}
${NODES.map((node) => `  use_backend ${node} if { req.hdr(host),field(1,:) -i ${PINNED[node]} }`).join("\n")}
  default_backend push
backend push
  mode http
  balance leastconn
  cookie HFID insert indirect nocache httponly
${NODES.map((node) => `  server ${node} ${server(node)} cookie ${node}`).join("\n")}
${NODES.map((node) => `backend ${node}\n  mode http\n  server ${node} ${server(node)}`).join("\n")}
`,
    ["push"],
  );
}
