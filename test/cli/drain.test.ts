import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { StatusReport } from "../../src/balancer/control/balancer.ts";
import { NOW, report, server, session } from "../api/fake-balancer.ts";
import { Rig } from "./rig.ts";

const rig = new Rig();
beforeAll(() => rig.serve());
beforeEach(() => {
  rig.balancer.state = report;
  rig.balancer.now = () => NOW;
  rig.balancer.sessionList = [];
  rig.balancer.calls.length = 0;
});
afterAll(() => rig.stop());

/** rds2 with so many left; a directory knows of the sessions. */
function draining(open: number, disconnected = 0, drained = 4): (now: number) => StatusReport {
  return (now) => {
    const status = report(now);
    const pool = status.pools[0]!;
    pool.servers[1] = server("rds2", {
      state: "draining",
      by: "anna",
      open,
      sessions: { connected: open, disconnected },
    });
    status.services[0]!.ended.drained = drained;
    return status;
  };
}

describe("drain", () => {
  test("says beforehand what happens to new and known users, and at the deadline", async () => {
    const { out, code } = await rig.run(["drain", "rds/rds2", "--within", "10m"]);
    expect(out).toBe(
      "rds/rds2 is draining. New users go to rds1. Known users still reach rds2; what is left at 14:45:12 is ended.\n" +
        "Watch it: holdfast drain rds/rds2 --wait\n",
    );
    expect(code).toBe(0);
    expect(rig.balancer.calls).toEqual(["drain rds/rds2 by anna within 600000"]);
  });

  test("without --within nobody is ever ended, and it says so", async () => {
    const { out } = await rig.run(["drain", "rds/rds2"]);
    expect(out).toContain("Known users still reach rds2; nobody is ended.\n");
    expect(rig.balancer.calls).toEqual(["drain rds/rds2 by anna within -"]);
  });

  test("the person who called sudo is the one who did it", async () => {
    await rig.run(["drain", "rds/rds2"], { SUDO_USER: "bea" });
    expect(rig.balancer.calls).toEqual(["drain rds/rds2 by bea within -"]);
  });

  test("the last usable server wants --yes", async () => {
    const refused = await rig.run(["drain", "rds/rds1"]);
    expect(refused.err).toBe(
      "error[last-usable-server]: rds/rds1 is the last server of rds that takes new users: without it they are refused\n" +
        "  repeat the command with --yes if that is wanted\n",
    );
    expect(refused.code).toBe(1);
    expect(rig.balancer.calls).toEqual([]);
    const done = await rig.run(["drain", "rds/rds1", "--yes"]);
    expect(done.out).toContain("New users of rds are refused: no other server takes them.");
    expect(done.code).toBe(0);
  });

  test("--wait names what is left and says when it is safe to stop", async () => {
    rig.balancer.now = Date.now;
    rig.balancer.state = draining(44, 3);
    rig.balancer.sessionList = [session("carol", { state: "disconnected" }), session("alice")];
    const child = rig.start(["drain", "rds/rds2", "--wait"]);
    let out = "";
    for await (const bytes of child.stdout) {
      out += new TextDecoder().decode(bytes);
      // Seven were ended by the balancer, the others left by themselves.
      if (out.includes("longest idle")) rig.balancer.state = draining(0, 0, 11);
    }
    expect(out).toMatch(
      /\n\d\d:\d\d:\d\d {3}44 connected {3}3 disconnected {3}longest idle: carol 22m( \d\ds)?\nrds\/rds2 is empty after (\d+ ms|\d+s): 64 left, 7 were ended\. Safe to stop\. Back into service: holdfast ready rds\/rds2\n$/,
    );
    expect(await child.exited).toBe(0);
  });

  test("a disconnected session that the directory knows keeps it from being empty", async () => {
    rig.balancer.state = draining(0, 1);
    const { out, code } = await rig.run(["drain", "rds/rds2", "--wait", "1ms"]);
    expect(out).toContain("The time is up: 0 connections still open on rds/rds2");
    expect(code).toBe(5);
  });

  test("without a directory it is empty when nothing is open, and says who is remembered", async () => {
    rig.balancer.state = (now) => {
      const status = draining(0, 3)(now);
      status.pools[0]!.directory = false;
      status.pools[0]!.servers[1]!.remembered = { count: 3, until: null };
      return status;
    };
    const { out, code } = await rig.run(["drain", "rds/rds2", "--wait"]);
    expect(out).toContain("Safe to stop.");
    expect(out).toContain(
      "3 users still remembered there: who comes back earlier is sent to it as long as it drains.\n",
    );
    expect(code).toBe(0);
  });

  test("when its time is up it exits with 5 and names who is left", async () => {
    rig.balancer.state = draining(2);
    rig.balancer.sessionList = [session("alice"), session("bob")];
    const { out, code } = await rig.run(["drain", "rds/rds2", "--wait", "1ms"]);
    expect(out).toEndWith(
      "The time is up: 2 connections still open on rds/rds2 (alice, bob). Go on: holdfast drain rds/rds2 --wait\n",
    );
    expect(code).toBe(5);
  });

  test("somebody else's ready ends the waiting with 1", async () => {
    rig.balancer.state = (now) => {
      const status = report(now);
      status.pools[0]!.servers[1] = server("rds2", { by: "bea", open: 3 });
      return status;
    };
    const { out, code } = await rig.run(["drain", "rds/rds2", "--wait"]);
    expect(out).toEndWith("rds/rds2 is not draining any more: up by bea.\n");
    expect(code).toBe(1);
  });

  test("Ctrl-C stops the watching only, and says so", async () => {
    rig.balancer.state = draining(44);
    const child = rig.start(["drain", "rds/rds2", "--wait"]);
    let out = "";
    for await (const bytes of child.stdout) {
      out += new TextDecoder().decode(bytes);
      if (out.includes("44 connected")) child.kill("SIGINT");
    }
    expect(out).toEndWith(
      "Only the watching has stopped: rds/rds2 goes on draining. Back into service: holdfast ready rds/rds2\n",
    );
    expect(await child.exited).toBe(130);
  });

  test("--json prints what the balancer answered and nothing else", async () => {
    const { out } = await rig.run(["drain", "rds/rds2", "--json"]);
    expect(JSON.parse(out)).toMatchObject({
      pool: "rds",
      server: "rds2",
      state: "drain",
      stays: { open: 71 },
      affected: { newUsersGoTo: ["rds1"], lastUsable: false },
    });
  });
});

describe("ready and maintenance", () => {
  test("ready says that the checks must agree", async () => {
    const { out, code } = await rig.run(["ready", "rds/rds2"]);
    expect(out).toBe(
      "rds/rds2 is back in service: as soon as its checks agree, new users reach it. See: holdfast status\n",
    );
    expect(code).toBe(0);
    expect(rig.balancer.calls).toEqual(["ready rds/rds2 by anna within -"]);
  });

  test("maintenance says what is still open and the way back", async () => {
    const { out } = await rig.run(["maintenance", "rds/rds2"]);
    expect(out).toBe(
      "rds/rds2 is in maintenance: nobody reaches it. New users go to rds1. 71 connections still open there.\n" +
        "Back into service: holdfast ready rds/rds2\n",
    );
  });
});
