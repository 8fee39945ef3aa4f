import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { report, server } from "../api/fake-balancer.ts";
import { Rig } from "./rig.ts";

const rig = new Rig();
beforeAll(() => rig.serve());
beforeEach(() => {
  rig.balancer.state = report;
});
afterAll(() => rig.stop());

const lines = (...text: string[]) => `${text.join("\n")}\n`;

describe("status on 80 columns without a terminal", () => {
  test("shows what needs attention, then totals, then detail, and wraps nothing", async () => {
    const { out, err, code } = await rig.run(["status"]);
    expect(err).toBe("");
    expect(out).toBe(
      lines(
        "lb1   up 12d 4h   generation 7 of 14:02   4 workers",
        "own session 99.97 % (4,311 of 4,312)",
        "✕ rds/rds3 is down for 6m 12s: connection refused",
        "▲ the sticky table is 91 % full",
        "SERVICE   LISTEN           STATE       SESSIONS  OPEN  NEW/s     IN/s     OUT/s",
        "desktops  127.0.0.1:13389  ▲ degraded       195   190    0.4  1.2 MiB  18.4 MiB",
        "POOL rds  rds1             ● up             143   141  12d",
        "          rds2             ◐ draining        52    49  3m by anna, ends 14:41",
        "          rds3             ✕ down             0     0  6m, connection refused",
      ),
    );
    expect(code).toBe(0);
  });

  test("shows load, connect time and exact ages where there is room", async () => {
    const { out } = await rig.run(["status"], { COLUMNS: "110" });
    expect(out).toBe(
      lines(
        "lb1   up 12d 4h   generation 7 of 14:02   4 workers   own session 99.97 % (4,311 of 4,312)",
        "✕ rds/rds3 is down for 6m 12s: connection refused     ▲ the sticky table is 91 % full",
        "SERVICE   LISTEN           STATE       SESSIONS  OPEN  NEW/s     IN/s     OUT/s",
        "desktops  127.0.0.1:13389  ▲ degraded       195   190    0.4  1.2 MiB  18.4 MiB",
        "POOL rds  rds1             ● up             143   141  load 34  connect 2 ms  12d 4h",
        "          rds2             ◐ draining        52    49  load 21  connect 2 ms  3m by anna, ends 14:41",
        "          rds3             ✕ down             0     0                         6m 12s, connection refused",
      ),
    );
  });

  test("tells requests of services that speak HTTP, and keeps them where little else fits", async () => {
    rig.balancer.state = (now) => {
      const status = report(now);
      const http = { requestsPerSec: 812.4, responses: {}, serverConnections: { new: 0, reused: 0 } };
      status.services.push({ ...status.services[0]!, name: "web", protocol: "http", sessions: 0, open: 31, http });
      return status;
    };
    const table = async (columns: string) => {
      const { out } = await rig.run(["status"], { COLUMNS: columns });
      return out.split("\n").filter((line) => /^(SERVICE|desktops|web) /.test(line));
    };
    expect(await table("100")).toEqual([
      "SERVICE   LISTEN           STATE       SESSIONS  OPEN  REQ/s  NEW/s     IN/s     OUT/s",
      "desktops  127.0.0.1:13389  ▲ degraded       195   190           0.4  1.2 MiB  18.4 MiB",
      "web       127.0.0.1:13389  ▲ degraded         0    31    812    0.4  1.2 MiB  18.4 MiB",
    ]);
    expect((await table("64"))[2]).toBe("web       127.0.0.1:13389  ▲ degraded         0    31    812");
  });

  test("uses words alone where the locale has no ●", async () => {
    const { out } = await rig.run(["status"], { LC_ALL: "C" });
    expect(out).toContain("error: rds/rds3 is down");
    expect(out).toContain("rds2             draining        52");
    expect(out).not.toMatch(/[●◐✕▲]/);
  });

  test("never writes wider than it may, whatever names and reasons come", async () => {
    rig.balancer.state = (now) => {
      const status = report(now);
      status.services[0]!.listen = ["[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:13389", "10.0.0.1:13389"];
      status.pools[0]!.servers.push(
        server("a-server-with-a-name-that-nobody-can-remember", {
          state: "down",
          reason: "日本語".repeat(40),
          backup: true,
        }),
      );
      return status;
    };
    for (const width of [40, 80, 100]) {
      const { out } = await rig.run(["status"], { COLUMNS: String(width) });
      for (const line of out.split("\n").slice(2)) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(width);
    }
  });

  test("of a server that died while it drained, why comes first", async () => {
    rig.balancer.state = (now) => {
      const status = report(now);
      Object.assign(status.pools[0]!.servers[2]!, { by: "anna", until: "2026-11-21T14:41:00.000Z" });
      return status;
    };
    const { out } = await rig.run(["status"]);
    expect(out).toEndWith("✕ down             0     0  6m, connection refused, …\n");
    const wide = await rig.run(["status"], { COLUMNS: "130" });
    expect(wide.out).toEndWith("6m 12s, connection refused, drain ends 14:41\n");
  });

  test("lets no control character of a server's answer through", async () => {
    rig.balancer.state = (now) => {
      const status = report(now);
      status.pools[0]!.servers[2]!.reason = "\x1b[2Jowned\r\n";
      return status;
    };
    const { out } = await rig.run(["status"], { COLUMNS: "120" });
    expect(out).not.toContain("\x1b");
    expect(out).not.toContain("\r");
    expect(out).toContain("·[2Jowned··");
  });

  test("says who came before after a takeover, which workers are missing and who waits", async () => {
    rig.balancer.state = (now) => {
      const status = report(now);
      status.predecessor = { pid: 812, connections: 1_204 };
      status.workers[0]!.state = "starting";
      status.pools[0]!.queued = 5;
      status.ownSession = { came: 0, own: 0, ratio: null };
      return status;
    };
    const { out } = await rig.run(["status"]);
    expect(out).toContain("3 of 4 workers\nown session: nobody has come back yet\n");
    expect(out).toContain("taken over from pid 812, which still has 1,204 connections\n");
    expect(out).toContain("          5 clients waiting for a server\n");
  });
});

describe("status for programs", () => {
  test("--json is the whole report, whatever the terminal", async () => {
    const { out, code } = await rig.run(["status", "--json"]);
    expect(JSON.parse(out)).toEqual(report());
    expect(code).toBe(0);
  });

  test("--fail-on degraded is 1 for a degraded service, --fail-on down is not", async () => {
    expect((await rig.run(["status", "--fail-on", "degraded"])).code).toBe(1);
    expect((await rig.run(["status", "--fail-on", "down"])).code).toBe(0);
    rig.balancer.state = (now) => {
      const status = report(now);
      status.services[0]!.state = "down";
      return status;
    };
    expect((await rig.run(["status", "--fail-on", "down"])).code).toBe(1);
  });

  test("the socket is found by --data, by the file and by the environment", async () => {
    const nowhere = { HOLDFAST_DATA: "/nowhere" };
    expect((await rig.run(["status", "--data", rig.folder], nowhere)).code).toBe(0);
    await Bun.write(`${rig.folder}/lb.yaml`, "data: .\npools: [this is no pool\n");
    expect((await rig.run(["status", "-c", "lb.yaml"], nowhere)).code).toBe(0);
    expect((await rig.run(["status"], nowhere)).code).toBe(3);
  });
});

describe("status --watch", () => {
  test("into a pipe prints each state once, then a line a change", async () => {
    const child = rig.start(["status", "--watch", "--every", "100ms"]);
    const read = lineReader(child.stdout);
    const first = [await read(), await read(), await read(), await read(), await read()];
    expect(first.map((line) => line.replace(/^\d\d:\d\d:\d\d {2}/, ""))).toEqual([
      "generation  7",
      "desktops  ▲ degraded",
      "rds/rds1  ● up",
      "rds/rds2  ◐ draining, by anna",
      "rds/rds3  ✕ down, connection refused",
    ]);
    rig.balancer.state = (now) => {
      const status = report(now);
      status.pools[0]!.servers[2] = server("rds3");
      return status;
    };
    expect(await read()).toEndWith("  rds/rds3  ● up");
    rig.balancer.state = (now) => {
      const status = report(now);
      status.pools[0]!.servers.splice(1, 2);
      return status;
    };
    expect(await read()).toEndWith("  rds/rds2  is gone");
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
  });

  test("--json is one object a line", async () => {
    const child = rig.start(["status", "--watch", "--json", "--every", "100ms"]);
    const read = lineReader(child.stdout);
    for (let i = 0; i < 3; i++) expect(JSON.parse(await read()).node).toBe("lb1");
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
  });

  test("on a terminal it is redrawn in place, obeys its keys and leaves the screen as it was", async () => {
    const width = 90;
    let screen = "";
    const drawn = Promise.withResolvers<void>();
    const child = Bun.spawn([`${import.meta.dir}/../../bin/holdfast`, "status", "--watch"], {
      env: { PATH: process.env.PATH ?? "", TERM: "xterm", LC_ALL: "C.UTF-8", TZ: "UTC", HOLDFAST_DATA: rig.folder },
      terminal: {
        cols: width,
        rows: 24,
        data: (terminal: { write(text: string): void }, bytes: Uint8Array) => {
          screen += new TextDecoder().decode(bytes);
          if (screen.includes("? help") && !screen.includes("filter: rds2")) terminal.write("/rds2\r");
          if (screen.includes("/ filter: rds2")) drawn.resolve();
        },
      },
    });
    await drawn.promise;
    child.terminal!.write("q");
    expect(await child.exited).toBe(0);
    expect(screen).toStartWith("\x1b[?1049h");
    expect(screen).toEndWith("\x1b[?25h\x1b[?1049l");
    const last = screen.slice(screen.lastIndexOf("\x1b[H"));
    expect(last).toContain("rds2");
    expect(last).not.toContain("rds1");
    expect(last).toContain("\x1b[35m◐ draining\x1b[0m");
  });
});

/** Gives one line after the other, as they come. */
function lineReader(stream: ReadableStream<Uint8Array>): () => Promise<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let waiting = "";
  return async () => {
    for (;;) {
      const end = waiting.indexOf("\n");
      if (end >= 0) {
        const line = waiting.slice(0, end);
        waiting = waiting.slice(end + 1);
        return line;
      }
      const { value, done } = await reader.read();
      if (done) throw new Error(`the output ended: ${waiting}`);
      waiting += decoder.decode(value, { stream: true });
    }
  };
}
