import { afterAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { loadConfig } from "../../src/config/load.ts";
import { MAX_SERVERS } from "../../src/config/pool-rules.ts";
import { countProblems, printProblems } from "../../src/config/print.ts";
import { ERRORS } from "../../src/errors.ts";
import { makeCertificate } from "./files.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Loads and prints a text: what must never throw. */
function codesOf(text: string): string[] {
  const loaded = loadConfig({ text, name: "holdfast.yaml" });
  printProblems(loaded.problems, { excerpts: true, colour: true, text: loaded.text });
  return loaded.problems.map(({ code }) => code);
}

function written(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const GOOD = 'services: { app: { listen: ":1", pool: p } }\npools: { p: { servers: { s: "127.0.0.1:2" } } }\n';

describe("files", () => {
  test("every example loads without a word, once its certificates are there", () => {
    const certs = join(folder, "certs");
    mkdirSync(certs);
    makeCertificate(certs, "push", ["push.example.test", "*.example.test"], 365);
    makeCertificate(certs, "other", ["other.example.org"], 365);
    const examples = new URL("../../examples/", import.meta.url);
    for (const name of readdirSync(examples)) {
      copyFileSync(new URL(name, examples), join(folder, name));
      const loaded = loadConfig(join(folder, name));
      expect(loaded.problems).toEqual([]);
      expect(loaded.config).toBeDefined();
    }
  });

  test("a private key shows itself nowhere in a configuration", () => {
    makeCertificate(folder, "shown", ["shown.test"], 365);
    const text = GOOD.replace("pool: p", "pool: p, tls: { certificates: [{ cert: shown.crt, key: shown.key }] }");
    const { config } = loadConfig({ text, name: join(folder, "holdfast.yaml") });
    const key = readFileSync(join(folder, "shown.key"), "utf8").split("\n")[1]!;
    expect(config!.services.app!.tls!.certificates[0]!.key!.text).toContain(key);
    expect(JSON.stringify(config)).not.toContain(key);
    expect(Bun.inspect(config, { depth: 20 })).not.toContain(key);
  });

  test("a configuration cannot be changed by whoever gets it", () => {
    const { config } = loadConfig(written("good.yaml", GOOD));
    expect(() => Object.assign(config!.pools.p!.servers.s!, { weight: 1 })).toThrow(TypeError);
    expect(() => config!.services.app!.routes.push({ pool: [] })).toThrow(TypeError);
  });

  test.each([
    ["a file that is not there", () => join(folder, "none.yaml"), "config/unreadable-file", "there is no such file"],
    ["a folder", () => folder, "config/unreadable-file", "this is a folder, not a file"],
    [
      "text that is not UTF-8",
      () => written("latin1.yaml", Uint8Array.of(0x61, 0xe4)),
      "config/bad-yaml",
      "the file is not UTF-8 text",
    ],
    [
      "a file of more than 1 MiB",
      () => written("big.yaml", "#".repeat(1_048_577)),
      "config/too-large",
      "the file is larger than 1 MiB",
    ],
    [
      "a file of many MiB",
      () => written("huge.yaml", "#".repeat(5_000_000)),
      "config/too-large",
      "the file is larger than 1 MiB",
    ],
  ])("%s is one problem in words", (_, path, code, message) => {
    const { config, problems } = loadConfig(path());
    expect(config).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ code, message, line: 1, column: 1, severity: "error" });
  });

  test("a problem has everything that a form or an editor needs", () => {
    const text = GOOD.replace("pool: p", "pool: q");
    const { problems } = loadConfig({ text, name: "x/holdfast.yaml" });
    expect(problems).toEqual([
      {
        code: "config/unknown-pool",
        severity: "error",
        file: "x/holdfast.yaml",
        line: 1,
        column: 40,
        endColumn: 41,
        pointer: "/services/app/pool",
        message: "service `app` uses a pool that this file does not have",
        expected: "p",
        hint: "Did you mean `p`?",
      },
    ]);
  });
});

describe("hostile files", () => {
  test("a bomb of aliases is refused before it grows", () => {
    const levels = Array.from(
      { length: 30 },
      (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]`,
    );
    expect(codesOf(`a0: &a0 [x]\n${levels.join("\n")}\n`)).toEqual(["config/too-large"]);
  });

  test("a bomb of merges is refused before it grows", () => {
    const levels = Array.from({ length: 40 }, (_, i) => `a${i + 1}: &a${i + 1} { <<: [*a${i}, *a${i}, *a${i}] }`);
    expect(codesOf(`a0: &a0 { x: 1 }\n${levels.join("\n")}\n`)).toEqual(["config/too-large"]);
  });

  test.each([
    ["deep lists", "[".repeat(100_000)],
    ["deep mappings", "{a: ".repeat(100_000)],
    ["deep indentation", Array.from({ length: 1_000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")],
    ["many values", "- 1\n".repeat(200_000)],
    ["many keys", Array.from({ length: 60_000 }, (_, i) => `k${i}: 1`).join("\n")],
    ["many aliases", `a: &a 1\nb: [${"*a, ".repeat(90_000)}]`],
    ["many mistakes", `services:\n${Array.from({ length: 20_000 }, (_, i) => ` s${i}: 1`).join("\n")}`],
    [
      "many unknown pools",
      `services:\n${Array.from({ length: 3_000 }, (_, i) => ` s${i}: {listen: ":${i + 1}", pool: q${i}}`).join("\n")}\npools:\n${Array.from({ length: 3_000 }, (_, i) => ` p${i}: {servers: {s: "1.1.1.1:1"}}`).join("\n")}`,
    ],
    ["many listeners on a port", `services: { a: { pool: p, listen: [${'"1.1.1.1:1", '.repeat(30_000)}] } }`],
    ["one long line of quotes", '"'.repeat(200_000)],
    [
      "one long line with a mistake at its end",
      `services: { a: { listen: [${'":1", '.repeat(60)}${'"::1", '.repeat(90_000)}], pool: p } }`,
    ],
    ["one long line of what looks like secrets", `data: "${"password ://a:".repeat(60_000)}"`],
    ["one long word", `services: { ${"x".repeat(900_000)}: 1 }`],
  ])("%s: refused in seconds and few words", (_, text) => {
    const begin = performance.now();
    const codes = codesOf(text);
    expect(codes.length).toBeGreaterThan(0);
    expect(codes.length).toBeLessThanOrEqual(1_000);
    expect(performance.now() - begin).toBeLessThan(8_000); // a bound against squares, not a figure: the machine is shared
  });

  test("more servers than there is room for are refused", () => {
    const pool = (count: number) =>
      Array.from({ length: count }, (_, i) => `s${i}: "10.0.${i >> 8}.${i & 255}:1"`).join(", ");
    const file = (count: number) =>
      `services: { app: { listen: ":1", pool: [p, q] } }\npools: { p: { servers: { ${pool(MAX_SERVERS - 1)} } }, q: { servers: { ${pool(count)} } } }`;
    expect(codesOf(file(1))).toEqual([]);
    expect(codesOf(file(2))).toEqual(["config/too-many-servers"]);
  });

  test("any text is a configuration or a list of known mistakes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        for (const code of codesOf(text)) expect(ERRORS).toHaveProperty([code]);
      }),
      { numRuns: 2_000 },
    );
  });

  test("any mixture of YAML and our words is a configuration or a list of mistakes with a place", () => {
    const words = fc.constantFrom(
      ...[
        "services:",
        "pools:",
        "servers:",
        "listen:",
        "pool:",
        "health:",
        "check:",
        "rdp",
        "tcp",
        "persistence:",
        "by:",
      ],
      ...[
        "\n",
        "\n  ",
        "\n    ",
        "\n      ",
        " ",
        "- ",
        "{ ",
        " }",
        "[",
        "]",
        ", ",
        "&a ",
        "*a",
        "*b",
        "<<: *a",
        '"',
        "'",
        "|\n",
        "? ",
        "#",
      ],
      ...[
        "a: ",
        "rds",
        ":3389",
        "127.0.0.1:1",
        "[::1]:2",
        "8h",
        "50/s",
        "null",
        "~",
        "1",
        "-1",
        "1e999",
        "!!int x",
        "!!binary x",
        "--- ",
      ],
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 60 }), (parts) => {
        const text = parts.join("");
        const { config, problems } = loadConfig({ text, name: "holdfast.yaml" });
        printProblems(problems, { excerpts: true, colour: false, text });
        const errors = problems.filter((problem) => problem.severity === "error");
        expect(config === undefined).toBe(errors.length > 0);
        const lines = text.split("\n");
        for (const { line, column, endColumn } of problems) {
          expect(line).toBeWithin(1, lines.length + 1);
          expect(column).toBeWithin(1, [...lines[line - 1]!].length + 2);
          expect(endColumn).toBeGreaterThan(column);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test("any values in the places of ours are a configuration or a list of mistakes", () => {
    const key = fc.constantFrom(
      ...["services", "pools", "app", "listen", "pool", "routes", "server", "servers", "health", "check", "by"],
      ...[
        "protocol",
        "tls",
        "certificates",
        "cert",
        "host",
        "sni",
        "path",
        "header",
        "redirect",
        "to",
        "respond",
        "file",
      ],
      ...["persistence", "name", "headers", "set", "remove", "limits", "head", "sorry", "hsts"],
    );
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<unknown>(
          null,
          1,
          true,
          "app",
          ":80",
          "rdp",
          "http",
          "*.a.test",
          "/",
          "1s",
          "10.0.0.0/8",
          [],
          {},
        ),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(key, tie("tree"), { maxKeys: 4 }),
      ),
    }));
    const file = fc.record({
      services: fc.dictionary(key, fc.dictionary(key, tree)),
      pools: fc.dictionary(key, fc.oneof(tree, fc.dictionary(key, tree))),
    });
    fc.assert(
      fc.property(file, (value) => {
        codesOf(JSON.stringify(value));
      }),
      { numRuns: 500 },
    );
  }, 30_000);
});

describe("printing", () => {
  const text = GOOD.replace("pool: p", "pool: q");
  const { problems } = loadConfig({ text, name: "holdfast.yaml" });

  test("without a terminal a problem is one line", () => {
    expect(printProblems(problems, { excerpts: false, colour: false, text })).toBe(
      "holdfast.yaml:1:40: error[unknown-pool]: service `app` uses a pool that this file does not have\n",
    );
  });

  test("colour adds nothing but colour", () => {
    const plain = printProblems(problems, { excerpts: true, colour: false, text });
    const coloured = printProblems(problems, { excerpts: true, colour: true, text });
    expect(coloured).not.toBe(plain);
    expect(Bun.stripANSI(coloured)).toBe(plain);
  });

  test("a good file has no mistakes to count", () => {
    expect(countProblems(loadConfig({ text: GOOD, name: "holdfast.yaml" }).problems)).toBe("no mistakes");
  });
});
