/** The three ways of standing before a streaming cluster: the examples, and HAProxy configured to do the same. */
import { example, type Front, haproxy, holdfast, IS_REFERENCE } from "../front.ts";
import { freePort } from "../ways.ts";
import type { PortOptions } from "./node.ts";
import { type Arrangement, NODES, type NodeName, OURS, PINNED, PUSH, type Stage } from "./stage.ts";

const LOOPBACK = "127.0.0.1";
const onLoopback = Object.fromEntries([PUSH, ...Object.values(PINNED)].map((name) => [name, LOOPBACK]));

/** examples/streaming.yaml, either service: its servers take plain HTTP, and TLS behind a PROXY header of version 2. */
function ports(stage: Stage): Readonly<Record<string, PortOptions>> {
  return {
    plain: { clients: "forwarded" },
    tls: { proxy: true, certificate: stage.certificate("nodes", "*.example.test") },
  };
}

/** The client of npm never sends a cookie back that is marked Secure. */
export const forNodeClients = (yaml: string): string => {
  if (!yaml.includes("name: HFID,")) throw new Error("examples/streaming.yaml has no cookie HFID");
  return yaml.replace("name: HFID,", "name: HFID, secure: false,");
};

/** TLS ends here; a cookie is what clients are recognised by. `change` is applied to the example. */
export function endedHere(change: (yaml: string) => string = forNodeClients): Arrangement {
  return {
    ports: (_, stage) => ports(stage),
    async front(stage) {
      const port = await freePort();
      const front = IS_REFERENCE ? await endedByHaproxy(stage, port) : await streamingExample(stage, port, 0, change);
      return { front, port, hosts: onLoopback };
    },
  };
}

/** TLS passes through, with a PROXY header in front of it. */
export const passedThrough: Arrangement = {
  ports: (_, stage) => ports(stage),
  async front(stage) {
    const port = await freePort();
    const front = IS_REFERENCE ? await passedByHaproxy(stage, port) : await streamingExample(stage, 0, port);
    return { front, port, hosts: onLoopback };
  },
};

async function streamingExample(
  stage: Stage,
  endedPort: number,
  passedPort: number,
  change: (yaml: string) => string = (yaml) => yaml,
): Promise<Front> {
  const ended = String(endedPort || (await freePort()));
  const push = stage.certificate("push", PUSH, ...Object.values(PINNED));
  const other = stage.certificate("other", "*.other.test");
  const yaml = example("streaming.yaml", {
    ":8443": `:${ended}`,
    "port: 8443": `port: ${ended}`,
    ":9443": `:${passedPort || (await freePort())}`,
    ":8080": `:${await freePort()}`,
    "127.0.0.1:9101": server(stage, "push1", "plain"),
    "127.0.0.1:9102": server(stage, "push2", "plain"),
    "127.0.0.1:9201": server(stage, "push1", "tls"),
    "127.0.0.1:9202": server(stage, "push2", "tls"),
    "certs/push.crt": push.cert,
    "certs/push.key": push.key,
    "certs/other.crt": other.cert,
    "certs/other.key": other.key,
  });
  return holdfast(change(yaml), ["push", "push-tls"]);
}

const server = (stage: Stage, node: NodeName, port: string): string => {
  const { host, number } = stage.nodes.get(node)!.address(port);
  return `${host}:${number}`;
};
const each = (line: (node: NodeName) => string): string => NODES.map(line).join("\n");

function endedByHaproxy(stage: Stage, port: number): Promise<Front> {
  const push = stage.certificate("push", PUSH, ...Object.values(PINNED));
  const other = stage.certificate("other", "*.other.test");
  return haproxy(
    `
frontend push
  mode http
  bind ${LOOPBACK}:${port} ssl crt ${push.cert} crt ${other.cert} alpn http/1.1
  http-request del-header X-Forwarded-For
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-Port ${port}
${each((node) => `  use_backend ${node} if { req.hdr(host),field(1,:) -i ${PINNED[node]} }`)}
  default_backend push
backend push
  mode http
  balance leastconn
  cookie HFID insert indirect nocache httponly
${each((node) => `  server ${node} ${server(stage, node, "plain")} cookie ${node}`)}
${each((node) => `backend ${node}\n  mode http\n  server ${node} ${server(stage, node, "plain")}`)}
`,
    ["push"],
  );
}

function passedByHaproxy(stage: Stage, port: number): Promise<Front> {
  return haproxy(
    `
frontend push
  mode tcp
  bind ${LOOPBACK}:${port}
  tcp-request inspect-delay 5s
  tcp-request content accept if { req.ssl_hello_type 1 }
${each((node) => `  use_backend ${node} if { req.ssl_sni -i ${PINNED[node]} }`)}
  default_backend push
${sticky(
  "push",
  each((node) => `  server ${node} ${server(stage, node, "tls")} send-proxy-v2`),
)}
${each((node) => `backend ${node}\n  mode tcp\n  server ${node} ${server(stage, node, "tls")} send-proxy-v2`)}
`,
    ["push"],
  );
}

const sticky = (name: string, servers: string): string => `
backend ${name}
  mode tcp
  balance leastconn
  stick-table type ip size 10k expire 10m
  stick on src
${servers}`;

/** examples/by-address.yaml: the address that was dialled decides. `change` is applied to the example. */
export function byAddress(options: { proxy: boolean; change?: (yaml: string) => string }): Arrangement {
  return {
    // The addresses of the example on ports of the test's own.
    ports(node, stage) {
      const host = node === "push1" ? "127.0.11.1" : "127.0.11.2";
      const { proxy } = options;
      const certificate = stage.certificate("nodes", "*.example.test");
      return {
        control: { host, takes: "control", certificate, proxy },
        create: { host, certificate, proxy },
        ours: { host, certificate: stage.certificate("ours", OURS), proxy },
      };
    },
    async front(stage) {
      const port = await freePort();
      const hosts = {
        [PUSH]: "127.0.10.10",
        [PINNED.push1]: "127.0.10.1",
        [PINNED.push2]: "127.0.10.2",
        [OURS]: "127.0.10.20",
      };
      const start = IS_REFERENCE ? dialledAtHaproxy : byAddressExample;
      return { front: await start(stage, port, options.change ?? ((yaml) => yaml)), port, hosts };
    },
  };
}

/** The port of its servers for another domain is one number for all of them. */
function oursPort(stage: Stage): number {
  return stage.nodes.get("push1")!.address("ours").number;
}

function byAddressExample(stage: Stage, port: number, change: (yaml: string) => string): Promise<Front> {
  const yaml = example("by-address.yaml", {
    ":8443": `:${port}`,
    "9446": String(oursPort(stage)),
    "127.0.11.1:9444": server(stage, "push1", "create"),
    "127.0.11.2:9444": server(stage, "push2", "create"),
    "127.0.11.1:9443": server(stage, "push1", "control"),
    "127.0.11.2:9443": server(stage, "push2", "control"),
  });
  return holdfast(change(yaml), ["create"]);
}

function dialledAtHaproxy(stage: Stage, port: number): Promise<Front> {
  const proxy = stage.nodes.get("push1")!.expectsProxy ? "send-proxy" : "";
  const listening = (name: string, address: string, backend: string): string =>
    `frontend ${name}-in\n  mode tcp\n  bind ${address}:${port}\n  default_backend ${backend}`;
  return haproxy(
    `
${listening("push", "127.0.10.10", "push")}
${listening("push1", "127.0.10.1", "push1")}
${listening("push2", "127.0.10.2", "push2")}
${listening("ours", "127.0.10.20", "ours")}
${sticky(
  "push",
  each((node) => `  server ${node} ${server(stage, node, "create")} ${proxy}`),
)}
${sticky(
  "ours",
  each((node) => `  server ${node} ${server(stage, node, "ours")} ${proxy}`),
)}
${each((node) => `backend ${node}\n  mode tcp\n  server ${node} ${server(stage, node, "control")} ${proxy}`)}
`,
    ["push", "ours"],
  );
}
