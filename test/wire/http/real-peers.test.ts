/** Programs that people use, on both sides: curl and node:http as clients, nginx as the server. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HTTP } from "../../balancer/worker/http/stage.ts";
import { WorkerRig } from "../../balancer/worker/worker-rig.ts";
import { freePort } from "../../lab/ways.ts";

const MIB = 1 << 20;
const big = randomBytes(32 * MIB);
const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const folder = mkdtempSync(join(tmpdir(), "holdfast-http-"));
let nginx: ReturnType<typeof Bun.spawn>;
let rig: WorkerRig;
let url: string;

beforeAll(async () => {
  const port = await freePort();
  writeFileSync(join(folder, "big"), big);
  writeFileSync(join(folder, "small"), "small\n");
  const own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; pid ${folder}/pid; error_log ${folder}/errors; worker_processes 1; user root;
    events { worker_connections 256; }
    http { access_log off; if_modified_since before; ${own.join(" ")} client_max_body_size 40m;
      server { listen 127.0.0.1:${port}; root ${folder};
        location /echo { return 200 "$request_method $http_x_forwarded_for $remote_addr"; }
        location /limited { client_max_body_size 1k; return 200 "ok"; }
      } }`,
  );
  nginx = Bun.spawn(["nginx", "-c", join(folder, "nginx.conf"), "-e", join(folder, "errors")]);
  rig = await WorkerRig.start({
    pools: { web: { keepAlive: { connections: 8, idleMs: 60_000 }, servers: { one: port } } },
    services: {
      web: { protocol: "http", http: { ...HTTP, forwarded: { mode: "replace", standard: false } } },
    },
  });
  url = `http://127.0.0.1:${rig.port("web")}`;
  await rig.until("nginx to listen", () => Bun.spawnSync(["curl", "-sf", `${url}/small`]).success);
});

afterAll(async () => {
  await rig.stop();
  nginx.kill();
  await nginx.exited;
  rmSync(folder, { recursive: true });
});

async function curl(...words: string[]): Promise<Buffer> {
  const child = Bun.spawn(["curl", "-sS", "--max-time", "10", ...words], { stderr: "pipe" });
  const bytes = Buffer.from(await new Response(child.stdout).arrayBuffer());
  expect(await new Response(child.stderr).text()).toBe("");
  expect(await child.exited).toBe(0);
  return bytes;
}

describe("curl and nginx", () => {
  test("32 MiB arrive as they are, also a range of them", async () => {
    expect(hashOf(await curl(`${url}/big`))).toBe(hashOf(big));
    expect(await curl("-r", "1000000-1999999", `${url}/big`)).toEqual(big.subarray(1_000_000, 2_000_000));
  });

  test("HEAD, a file that has not changed, and one that is not there", async () => {
    expect((await curl("-I", `${url}/big`)).toString()).toContain(`Content-Length: ${big.length}\r\n`);
    const twice = await curl(
      "-H",
      "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
      "-w",
      "%{http_code} ",
      `${url}/small`,
      `${url}/small`,
    );
    expect(twice.toString()).toBe("304 304 ");
    expect((await curl("-o", "/dev/null", "-w", "%{http_code}", `${url}/none`)).toString()).toBe("404");
  });

  test("several requests go over one connection", async () => {
    const codes = await curl(
      "-w",
      "%{num_connects} ",
      "-o",
      "/dev/null",
      `${url}/small`,
      "-o",
      "/dev/null",
      `${url}/small`,
    );
    expect(codes.toString()).toBe("1 0 ");
  });

  test("HTTP/1.0", async () => {
    expect((await curl("--http1.0", `${url}/small`)).toString()).toBe("small\n");
  });

  test("an upload that waits for 100 is told early that it is too large", async () => {
    const answer = await curl(
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      "--data-binary",
      `@${folder}/big`,
      `${url}/limited`,
    );
    expect(answer.toString()).toBe("413");
  });

  test("who sends without waiting hears it as well", async () => {
    const words = ["-H", "Expect:", "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", `@${folder}/big`];
    expect((await curl(...words, `${url}/limited`)).toString()).toBe("413");
  });

  test("nginx learns the client's address, and not the one that the client makes up", async () => {
    expect((await curl("-H", "X-Forwarded-For: 6.6.6.6", `${url}/echo`)).toString()).toBe("GET 127.0.0.1 127.0.0.1");
  });
});

test("a hundred requests of node:http at once over ten connections", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 10 });
  const bodies = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const [answer] = (await once(get(`${url}/small`, { agent }), "response")) as [
        import("node:http").IncomingMessage,
      ];
      let text = "";
      for await (const piece of answer) text += piece;
      return text;
    }),
  );
  agent.destroy();
  expect(new Set(bodies)).toEqual(new Set(["small\n"]));
});
