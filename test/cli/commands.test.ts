import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync } from "node:fs";
import { join } from "node:path";
import { ago, session } from "../api/fake-balancer.ts";
import { Rig } from "./rig.ts";

const rig = new Rig();
const nothing = new Rig();
beforeAll(() => rig.serve());
beforeEach(() => {
  rig.balancer.sessionList = [];
  rig.balancer.calls.length = 0;
});
afterAll(async () => {
  await rig.stop();
  await nothing.stop();
});

const BROKEN = `services:
  desktops: { listen: "127.0.0.1:0", protocol: rdp, pool: rdss }
pools:
  rds: { persistence: { by: [token] }, servers: { rds1: 127.0.0.1:3391 } }
`;

describe("wrong usage is 2 and ends with the next command", () => {
  const cases: [args: string[], err: string][] = [
    [["drian"], "error[usage]: there is no command `drian`\n  Did you mean `holdfast drain`?\n"],
    [["drian", "rds/rds2", "--wait"], "error[usage]: there is no command `drian`\n  Did you mean `holdfast drain`?\n"],
    [["frobnicate"], "error[usage]: there is no command `frobnicate`\n  holdfast --help\n"],
    [["status", "--jsn"], "error[usage]: unknown option '--jsn'\n(Did you mean --json?)\n  holdfast status --help\n"],
    [["drain"], "error[usage]: missing required argument 'pool/server'\n  holdfast drain --help\n"],
    [
      ["status", "--fail-on", "sad"],
      "error[usage]: option '--fail-on <state>' argument 'sad' is invalid. Allowed choices are degraded, down.\n  holdfast status --help\n",
    ],
    [
      ["sessions", "end"],
      "error[usage]: say which: --id, --user, --pool or --server\n  holdfast sessions list shows them\n",
    ],
  ];
  for (const [args, err] of cases) {
    test(args.join(" "), async () => {
      const result = await rig.run(args);
      expect(result).toEqual({ code: 2, out: "", err });
    });
  }

  test("a server without its pool, a duration without its unit", async () => {
    const noPool = await rig.run(["drain", "rds2"]);
    expect(noPool.err).toContain("Name a server as POOL/SERVER, such as rds/rds2.");
    expect(noPool.code).toBe(2);
    const noUnit = await rig.run(["drain", "rds/rds2", "--within", "10"]);
    expect(noUnit.err).toContain("`10` is not a duration. Write `10s` for seconds.");
    expect(noUnit.code).toBe(2);
    expect(rig.balancer.calls).toEqual([]);
  });
});

describe("nothing behind the socket", () => {
  for (const args of [["status"], ["reload"], ["drain", "rds/rds2"], ["sessions"], ["token", "rds/rds1"]]) {
    test(`${args[0]} is 3 and says how to start it`, async () => {
      const { code, out, err } = await nothing.run(args);
      expect(code).toBe(3);
      expect(out).toBe("");
      expect(err).toBe(
        `error[not-running]: nothing is running behind ${nothing.folder}/holdfast.sock\n` +
          "  holdfast up -c FILE, or name the data folder of the running one with --data\n",
      );
    });
  }

  test("a socket file left over from a crash is the same as none", async () => {
    const left = Bun.listen({ unix: join(nothing.folder, "holdfast.sock"), socket: { data() {} } });
    await Bun.$`mv ${nothing.folder}/holdfast.sock ${nothing.folder}/kept`.quiet();
    left.stop(true);
    await Bun.$`mv ${nothing.folder}/kept ${nothing.folder}/holdfast.sock`.quiet();
    expect((await nothing.run(["status"])).code).toBe(3);
  });
});

describe("unknown names get the nearest one", () => {
  test("of a pool and of a server", async () => {
    const pool = await rig.run(["drain", "rsd/rds2"]);
    expect(pool).toEqual({
      code: 1,
      out: "",
      err: "error[not-found]: there is no pool `rsd`\n  Did you mean `rds`?\n",
    });
    const server = await rig.run(["token", "rds/rd2"]);
    expect(server.err).toBe("error[not-found]: pool `rds` has no server `rd2`\n  Did you mean `rds2`?\n");
    expect((await rig.run(["drain", "rds/elsewhere"])).err).toContain("there are rds1, rds2, rds3");
  });
});

describe("help", () => {
  test("begins with two examples", async () => {
    for (const args of [["--help"], ["help"], ["drain", "--help"], ["help", "drain"], ["sessions", "end", "--help"]]) {
      const { out, code } = await rig.run(args);
      const first = out.split("\n").slice(0, 3);
      expect(first[0]).toStartWith("  holdfast ");
      expect(first[1]).toStartWith("  holdfast ");
      expect(first[2]).toBe("");
      expect(code).toBe(0);
    }
  });

  test("--version is one line", async () => {
    expect((await rig.run(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("sessions", () => {
  test("list shows who is where and how they were recognised", async () => {
    rig.balancer.sessionList = [
      session("alice"),
      session("al.jones", { state: "disconnected", recognisedBy: "user", from: "10.9.1.1" }),
    ];
    const { out } = await rig.run(["sessions", "list"]);
    expect(out.replaceAll(/22m \d\ds/g, "22m    ")).toBe(
      [
        "USER      STATE               SERVER    SINCE   FROM       RECOGNISED BY  ID",
        "alice     ● connected         rds/rds2  3h 10m  10.1.4.22  token          s-alice",
        "al.jones  ○ disconnected 22m  rds/rds2  3h 10m  10.9.1.1   user           s-al.jones",
        "",
      ].join("\n"),
    );
  });

  test("list goes on behind the API's largest page", async () => {
    rig.balancer.sessionList = Array.from({ length: 2_300 }, (_, i) => session(`user${i}`));
    const { out } = await rig.run(["sessions", "list", "--json"]);
    expect(out.trimEnd().split("\n")).toHaveLength(2_300);
  });

  test("list can be narrowed, and an empty list says what to do", async () => {
    rig.balancer.sessionList = [session("alice"), session("bob", { server: "rds1" })];
    const { out } = await rig.run(["sessions", "list", "--server", "rds/rds1", "--json"]);
    expect(JSON.parse(out).user).toBe("bob");
    expect((await rig.run(["sessions", "list", "--user", "nobody"])).out).toStartWith("No sessions.");
  });

  test("end asks nobody where nobody can answer: it wants --yes", async () => {
    rig.balancer.sessionList = [session("alice")];
    const { err, code } = await rig.run(["sessions", "end", "--user", "alice"]);
    expect(err).toBe(
      "error[usage]: 1 session would be ended, and nobody can be asked here\n  repeat the command with --yes\n",
    );
    expect(code).toBe(2);
    expect(rig.balancer.calls).toEqual([]);
    const done = await rig.run(["sessions", "end", "--user", "alice", "--yes"]);
    expect(done).toEqual({ code: 0, out: "2 sessions ended.\n", err: "" });
    expect(rig.balancer.calls).toEqual(['end {"user":"alice"}']);
  });
});

describe("forget", () => {
  test("one client is forgotten at once, and what it says is what was done", async () => {
    const { out, code } = await rig.run(["forget", "rds", "--user", "alice"]);
    expect(out).toBe("1 client forgotten. Live connections go on.\n");
    expect(code).toBe(0);
    expect(rig.balancer.calls).toEqual(['forget rds {"user":"alice"} by anna']);
  });

  test("a share asks nobody where nobody can answer: it wants --yes", async () => {
    const { err, code } = await rig.run(["forget", "rds", "--share", "20%"]);
    expect(err).toBe(
      "error[usage]: 39 clients and 20 % of all cookies would be forgotten, and nobody can be asked here\n  repeat the command with --yes\n",
    );
    expect(code).toBe(2);
    expect(rig.balancer.calls).toEqual(['forget rds {"share":0.2} by anna dry']);
    const done = await rig.run(["forget", "rds", "--share", "20%", "--yes"]);
    expect(done.out).toBe("39 clients and 20 % of all cookies forgotten. Live connections go on.\n");
  });

  test("--dry-run only says how many", async () => {
    const { out } = await rig.run(["forget", "rds", "--share", "20%", "--dry-run"]);
    expect(out).toBe("39 clients and 20 % of all cookies would be forgotten.\n");
    expect(rig.balancer.calls).toEqual(['forget rds {"share":0.2} by anna dry']);
  });

  test("it wants to know whom, one at a time, and a share as people write it", async () => {
    for (const args of [[], ["--user", "a", "--source", "10.0.0.1"]]) {
      expect((await rig.run(["forget", "rds", ...args])).err).toStartWith("error[usage]: say whom, by one of --user");
    }
    expect((await rig.run(["forget", "rds", "--share", "0%"])).err).toContain("`0%` is not a share. Write `20%`.");
    expect(rig.balancer.calls).toEqual([]);
  });

  test("a pool that does not exist is told with the nearest name", async () => {
    const { err, code } = await rig.run(["forget", "rdz", "--user", "alice"]);
    expect(err).toContain("Did you mean `rds`?");
    expect(code).toBe(1);
  });
});

describe("token", () => {
  test("prints the line alone, so that a script can use it", async () => {
    const { out, code } = await rig.run(["token", "rds/rds2", "--lifetime", "30d"]);
    expect(out).toBe("hf1.AbCdEf\n");
    expect(code).toBe(0);
    expect(rig.balancer.calls).toEqual([`token rds/rds2 ${30 * 86_400_000}`]);
  });
});

describe("reload", () => {
  test("says what it did and what it left alone", async () => {
    const { out, code } = await rig.run(["reload"]);
    expect(out).toBe(
      "Generation 7 runs: 2 servers added, 1 weight changed, 3 listeners kept, 1,204 connections untouched.\n",
    );
    expect(code).toBe(0);
  });

  test("a file with errors changes nothing: they go to stderr, the exit code is 1", async () => {
    const fine = rig.balancer.reloadReport;
    rig.balancer.reloadReport = {
      ok: false,
      generation: { number: 7, at: ago(0) },
      summary: "3 errors",
      problems: [
        {
          code: "config/unknown-pool",
          severity: "error",
          file: "holdfast.yaml",
          line: 6,
          column: 11,
          endColumn: 15,
          pointer: "/services/desktops/pool",
          message: "service `desktops` uses a pool that this file does not have",
          expected: "rds",
        },
      ],
    };
    const { out, err, code } = await rig.run(["reload"]);
    rig.balancer.reloadReport = fine;
    expect(out).toBe("");
    expect(err).toBe(
      "holdfast.yaml:6:11: error[unknown-pool]: service `desktops` uses a pool that this file does not have\n" +
        "Nothing was changed: generation 7 of 14:02 keeps running.\n",
    );
    expect(code).toBe(1);
  });
});

describe("check and up", () => {
  test("check says what a good file has", async () => {
    const file = join(import.meta.dir, "../../examples/rdp.yaml");
    const { out, code } = await nothing.run(["check", "-c", file]);
    expect(out).toBe(`${file} can be used: 1 service, 1 pool, 2 servers. Apply it: holdfast reload\n`);
    expect(code).toBe(0);
  });

  test("check of a bad file is 1 and says what keeps running", async () => {
    await Bun.write(join(rig.folder, "bad.yaml"), BROKEN);
    const { out, code } = await rig.run(["check", "-c", "bad.yaml"]);
    expect(out).toBe(
      "bad.yaml:2:59: error[unknown-pool]: service `desktops` uses a pool that this file does not have\n" +
        "1 error. Nothing was changed: generation 7 of 14:02 keeps running.\n",
    );
    expect(code).toBe(1);
    const json = await rig.run(["check", "-c", "bad.yaml", "--json"]);
    expect(JSON.parse(json.out)).toMatchObject({ code: "config/unknown-pool", line: 2, column: 59 });
    expect(json.code).toBe(1);
  });

  test("up with a file that cannot be used is 78, so that systemd does not try again", async () => {
    await Bun.write(join(nothing.folder, "holdfast.yaml"), BROKEN);
    const { out, err, code } = await nothing.run(["up"]);
    expect(out).toBe("");
    expect(err).toBe(
      "holdfast.yaml:2:59: error[unknown-pool]: service `desktops` uses a pool that this file does not have\n" +
        "1 error. Nothing was started: holdfast check -c holdfast.yaml\n",
    );
    expect(code).toBe(78);
    expect((await nothing.run(["up", "-c", "absent.yaml"])).code).toBe(78);
  });
});

describe("streams", () => {
  test("a reader that goes away is no error", async () => {
    const child = Bun.spawn(["sh", "-c", `${import.meta.dir}/../../bin/holdfast status --json | head -c 1`], {
      env: { PATH: process.env.PATH ?? "", HOLDFAST_DATA: rig.folder },
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await new Response(child.stderr).text()).toBe("");
    expect(await new Response(child.stdout).text()).toBe("{");
  });

  test("a socket that this user may not use is 4", async () => {
    const closed = new Rig();
    await closed.serve();
    const socket = join(closed.folder, "holdfast.sock");
    chmodSync(socket, 0);
    // Root may use any file: not without the capability for that, and not somebody else's.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(socket, 65_534, 65_534);
    const { code, err } = await closed.run(
      ["status"],
      {},
      isRoot ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : [],
    );
    await closed.stop();
    expect(err).toStartWith(`error[not-allowed]: you may not use ${socket}\n  sudo holdfast`);
    expect(code).toBe(4);
  });
});
