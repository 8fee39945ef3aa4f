import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog, type LogSink, openSink } from "../../src/observe/log.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function memorySink(): LogSink & { lines: string[] } {
  const lines: string[] = [];
  return { lines, write: (line) => lines.push(line), dropped: () => 0, reopen() {}, flush: async () => {} };
}

describe("a log line", () => {
  test("always has time, level, event, msg, node and role", () => {
    const sink = memorySink();
    const log = createLog({ sink, level: "info", node: "lb1", role: "balancer" });
    log.warn("server.down", "rds/rds3 is down: connection refused", { pool: "rds", server: "rds3" });
    const entry = JSON.parse(sink.lines[0]!);
    expect(entry).toEqual({
      time: entry.time,
      level: "warn",
      event: "server.down",
      msg: "rds/rds3 is down: connection refused",
      node: "lb1",
      role: "balancer",
      pool: "rds",
      server: "rds3",
    });
    expect(entry.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(sink.lines[0]).toEndWith("}\n");
  });

  test("below the level is not written, and the level can change", () => {
    const sink = memorySink();
    const log = createLog({ sink, level: "warn", node: "lb1", role: "agent" });
    log.info("a", "no");
    log.debug("b", "no");
    log.setLevel("debug");
    log.debug("c", "yes");
    expect(sink.lines.map((line) => JSON.parse(line).event)).toEqual(["c"]);
  });

  test("details cannot take the place of event or msg", () => {
    const sink = memorySink();
    createLog({ sink, level: "info", node: "lb1", role: "balancer" }).info("real", "said", { event: "false" });
    expect(JSON.parse(sink.lines[0]!).event).toBe("real");
  });
});

describe("a sink", () => {
  test("appends to a file in a folder that it makes, and goes on in a new one after it was moved away", async () => {
    const file = join(folder, "made/holdfast.log");
    const sink = openSink(file);
    sink.write("one\n");
    renameSync(file, `${file}.1`);
    sink.write("two\n");
    sink.reopen();
    for (let i = 0; i < 1_000; i++) sink.write(`${i}\n`);
    await sink.flush();
    expect(readFileSync(`${file}.1`, "utf8")).toBe("one\ntwo\n");
    expect(readFileSync(file, "utf8").trimEnd().split("\n")).toHaveLength(1_000);
    expect(sink.dropped()).toBe(0);

    const again = openSink(file);
    again.write("last\n");
    await again.flush();
    expect(readFileSync(file, "utf8")).toEndWith("999\nlast\n");
  });

  test("a disk that is full loses lines and counts them; nothing throws", async () => {
    const sink = openSink("/dev/full");
    sink.write("lost\n");
    while (sink.dropped() === 0) await new Promise((resolve) => setImmediate(resolve));
    sink.write("lost too\n");
    expect(sink.dropped()).toBeGreaterThan(0);
  });

  test("a file that cannot be opened is said at once", () => {
    expect(() => openSink("/dev/null/holdfast.log")).toThrow();
  });

  test("a process that writes to standard output and ends loses nothing", async () => {
    const script = `
      const { openSink } = await import("${import.meta.dir}/../../src/observe/log.ts");
      const sink = openSink();
      for (let i = 0; i < 20000; i++) sink.write("line " + i + "\\n");
      await sink.flush();
    `;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
    const out = await new Response(child.stdout).text();
    expect(out.trimEnd().split("\n").at(-1)).toBe("line 19999");
    expect(out.trimEnd().split("\n")).toHaveLength(20_000);
    expect(await child.exited).toBe(0);
  });
});
