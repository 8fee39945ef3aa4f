/** nginx and Node as servers, each telling which requests it has seen. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "../../../lab/child.ts";
import { freePort } from "../../../lab/ways.ts";

/** What a server understood of a request. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  /** Bytes of its body, without chunks. */
  readonly body: number;
}

/** The same of a request in canonical form. */
export function seenOf(request: string): SeenRequest {
  const [head = "", ...rest] = request.split("\r\n\r\n");
  const [method = "", target = ""] = head.split(" ");
  const body = rest.join("\r\n\r\n");
  const chunked = /\r\nTransfer-Encoding: chunked/.test(head);
  return {
    method,
    target,
    host: /\r\nHost: (.*)/.exec(head)?.[1] ?? "",
    body: chunked ? dataBytes(body) : body.length,
  };
}

function dataBytes(chunks: string): number {
  const size = Number.parseInt(chunks, 16);
  return size === 0 ? 0 : size + dataBytes(chunks.slice(chunks.indexOf("\r\n") + 2 + size + 2));
}

/** A real server behind the balancer. */
export interface RealServer {
  readonly port: number;
  /** Everything it has seen, in order. */
  seen(): Promise<SeenRequest[]>;
  stop(): Promise<void>;
}

/** Debian's nginx, in a folder of its own. What it reads it passes on to itself, so that bodies are read to their end. */
export class NginxServer implements RealServer {
  /** nginx knows no `OPTIONS *`, and no path that leads above its root: it refuses them, with 400. */
  static readonly takes = ({ target }: SeenRequest): boolean => target !== "*" && !target.startsWith("/../");
  readonly port: number;
  readonly #folder: string;
  readonly #child: Child;

  private constructor(port: number, folder: string, child: Child) {
    this.port = port;
    this.#folder = folder;
    this.#child = child;
  }

  static async start(): Promise<NginxServer> {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-nginx-"));
    const port = await freePort();
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 512; }
http {
  log_format seen escape=json '{"method":"$request_method","target":"$http_x_target","host":"$http_x_host","body":$seen_length}';
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  access_log off; keepalive_requests 100000; underscores_in_headers on; ignore_invalid_headers off; merge_slashes off;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_set_header X-Target $request_uri; proxy_set_header X-Host $http_host;
      proxy_http_version 1.1; proxy_pass http://unix:${folder}/inner;
    }
  }
  map $http_content_length $seen_length { "" 0; default $http_content_length; }
  server { listen unix:${folder}/inner; access_log ${folder}/seen seen; return 200; }
}
`,
    );
    const child = new Child(["nginx", "-p", folder, "-c", join(folder, "nginx.conf")]);
    await Promise.race([listening(port), child.exited.then(() => Promise.reject(new Error(child.output())))]);
    return new NginxServer(port, folder, child);
  }

  /** Ends it: what it has said by then is everything. */
  async seen(): Promise<SeenRequest[]> {
    this.#child.signal("SIGQUIT");
    await this.#child.ended();
    const lines = readFileSync(join(this.#folder, "seen"), "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as SeenRequest);
  }

  async stop(): Promise<void> {
    this.#child.signal("SIGTERM");
    await this.#child.ended();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const NODE_SERVER = `
import { createServer } from "node:http";
const server = createServer((request, response) => {
  let body = 0;
  request.on("data", (piece) => { body += piece.length; });
  request.on("end", () => {
    const { method, url: target, headers } = request;
    console.log(JSON.stringify({ method, target, host: headers.host ?? "", body }));
    response.end();
  });
});
server.keepAliveTimeout = 60_000;
// A request that is cut off in the middle is no surprise; anything else that it cannot read would be a request of ours.
server.on("clientError", (error, socket) => {
  const target = error.code ?? "";
  if (target.startsWith("HPE_") && target !== "HPE_INVALID_EOF_STATE") console.log(JSON.stringify({ target }));
  socket.destroy();
});
process.stdin.on("end", () => process.exit(0)).resume();
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
`;

/** Node's own HTTP server. */
export class NodeServer implements RealServer {
  static readonly takes = (): boolean => true;
  readonly port: number;
  readonly #child: Child;
  readonly #seen: SeenRequest[];

  private constructor(port: number, child: Child, seen: SeenRequest[]) {
    this.port = port;
    this.#child = child;
    this.#seen = seen;
  }

  static async start(): Promise<NodeServer> {
    const seen: SeenRequest[] = [];
    const port = Promise.withResolvers<number>();
    const child = new Child(["node", "--input-type=module", "--eval", NODE_SERVER], (line) => {
      const said = JSON.parse(line) as SeenRequest | { port: number };
      if ("port" in said) port.resolve(said.port);
      else seen.push(said);
    });
    void child.exited.then(() => port.reject(new Error(child.output())));
    return new NodeServer(await port.promise, child, seen);
  }

  /** Ends it: what it has said by then is everything. */
  async seen(): Promise<SeenRequest[]> {
    this.#child.closeInput();
    await this.#child.ended();
    return this.#seen;
  }

  async stop(): Promise<void> {
    this.#child.signal("SIGTERM");
    await this.#child.ended();
  }
}

/** Resolves when something listens on `port`. */
async function listening(port: number): Promise<void> {
  for (;;) {
    const open = await new Promise<boolean>((tried) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("connect", () => {
        socket.destroy();
        tried(true);
      });
      socket.on("error", () => tried(false));
    });
    if (open) return;
    await Bun.sleep(10);
  }
}
