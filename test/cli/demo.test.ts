/** The demo as a person runs it into a file: what it says must be true of itself, and nothing may be left of it. */
import { expect, test } from "bun:test";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resultText } from "../../src/cli/demo-table.ts";
import type { Return } from "../../src/demo/round.ts";

const HOLDFAST = join(import.meta.dir, "../../bin/holdfast");
const LIMIT_MS = 30_000;
const SCRIPT_MS = 12_000;

interface Row {
  user: string;
  wasOn: string;
  from: string;
  landedOn: string;
  recognisedBy: string;
  own: string;
}

test(
  "everyone who could have had their session got it, the killed server's users did not, and the count says so",
  async () => {
    await withDemo(async ({ child, lines }) => {
      const began = performance.now();
      const out: string[] = [];
      for await (const line of lines) out.push(line);
      expect(await child.exited).toBe(0);
      expect(performance.now() - began).toBeLessThan(SCRIPT_MS);

      const text = out.join("\n");
      const [, killed = ""] = /^(\w+) is killed \(process \d+\)/m.exec(text) ?? [];
      const rows = tableOf(out);
      const killedAt = rows.length / 2;
      expect(rows).toHaveLength(24);
      for (const [nth, row] of rows.entries()) {
        if (nth < killedAt || row.wasOn !== killed) {
          expect([row.user, row.landedOn, row.own]).toEqual([row.user, row.wasOn, "● yes"]);
          expect(["token", "user", "source"]).toContain(row.recognisedBy);
        } else {
          expect([row.recognisedBy, row.own]).toEqual(["new", `✕ no: ${killed} died`]);
          expect(row.landedOn).not.toBe(killed);
        }
      }
      const own = rows.filter((row) => row.own === "● yes").length;
      expect(own).toBeLessThan(rows.length);
      expect(text).toContain(`\nOwn session: ${own} of ${rows.length} (`);
      // Each way of recognising was used, by the one whose client could be recognised in no other.
      const waysOf = (user: string) => [
        ...new Set(rows.filter((row) => row.user === user).map((row) => row.recognisedBy)),
      ];
      expect(waysOf("alice")).toEqual(["user"]);
      expect(waysOf("dave")).toEqual(["token"]);
      expect(waysOf("erin")).toEqual(["token"]);
      expect(waysOf("alexander.k")).toEqual(["source"]);
      expect(waysOf("frank")).toEqual(["source"]);
    });
  },
  LIMIT_MS,
);

test(
  "a port that is taken is replaced, and the one that is used is printed",
  async () => {
    const taken = await takePort(13389);
    try {
      await withDemo(async ({ child, lines }) => {
        const out: string[] = [];
        for await (const line of lines) {
          out.push(line);
          if (line.startsWith("USER")) child.kill("SIGTERM");
        }
        expect(out).toContain("Port 13389 is taken: another one is used instead.");
        expect(out.find((line) => line.startsWith("  desktops"))).toMatch(/ 127\.0\.0\.1:(?!13389 )\d+ /);
        expect(await child.exited).toBe(143);
      });
    } finally {
      await taken();
    }
  },
  LIMIT_MS,
);

test(
  "Ctrl-C in the middle ends everything that was started",
  async () => {
    await withDemo(async ({ child, lines }) => {
      for await (const line of lines) if (line.startsWith("alice")) child.kill("SIGINT");
      expect(await child.exited).toBe(130);
    });
  },
  LIMIT_MS,
);

test("who could have had their session and did not get it is counted apart from the killed server's users", () => {
  const row = {
    user: "alice",
    wasOn: "rds1",
    awayMs: 1,
    from: "127.0.0.1",
    landedOn: "rds2",
    recognisedBy: "new",
    why: "",
  };
  const text = (...results: Return["result"][]) => resultText(results.map((result) => ({ ...row, result })));
  expect(text("own", "own")).toBe("Own session: 2 of 2 (100 %).");
  expect(text("own", "killed")).toBe("Own session: 1 of 2 (50 %), the other is the killed server's user.");
  expect(text("own", "killed", "lost", "lost")).toBe(
    "Own session: 1 of 4 (25 %), 1 lost it with the killed server. 2 clients did not get the session that was there.",
  );
});

interface Running {
  child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  lines: AsyncGenerator<string>;
}

/** Runs the demo with a folder for temporary files of its own; afterwards there is nothing in it, and no process is left. */
async function withDemo(body: (running: Running) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-test-"));
  const child = Bun.spawn([HOLDFAST, "demo"], {
    env: { PATH: process.env.PATH ?? "", LC_ALL: "C.UTF-8", COLUMNS: "80", TMPDIR: folder },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    await body({ child, lines: linesOf(child.stdout) });
    expect(readdirSync(folder)).toEqual([]);
    expect(processesWith(folder)).toEqual([]);
  } finally {
    child.kill("SIGTERM");
    await child.exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Command lines of the processes that have this folder in their environment. */
function processesWith(folder: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
        return environment.includes(folder) ? [readFileSync(`/proc/${pid}/cmdline`, "utf8")] : [];
      } catch {
        return []; // it has just ended
      }
    });
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** Rows of the table: columns begin where those of the header do. */
function tableOf(lines: readonly string[]): Row[] {
  const header = lines.find((line) => line.startsWith("USER")) ?? "";
  const starts = [...header.matchAll(/\S+( \S+)*/g)].map(({ index }) => index);
  return lines
    .filter((line) => /^\S+ +(rds|echo)\d /.test(line))
    .map((line) => {
      const cells = starts.map((start, column) => line.slice(start, starts[column + 1]).trim());
      const [user = "", wasOn = "", , from = "", landedOn = "", recognisedBy = "", own = ""] = cells;
      return { user, wasOn, from, landedOn, recognisedBy, own };
    });
}

/** Occupies a port, unless somebody else already does. @returns what gives it back */
async function takePort(port: number): Promise<() => Promise<void>> {
  const server = createServer().listen(port, "127.0.0.1");
  const mine = await Promise.race([
    once(server, "listening").then(() => true),
    once(server, "error").then(() => false),
  ]);
  return async () => {
    if (!mine) return;
    server.close();
    await once(server, "close");
  };
}
