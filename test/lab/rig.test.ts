import { afterAll, beforeAll, expect, test } from "bun:test";
import { Rig } from "./rig.ts";
import { freePort } from "./ways.ts";

const ALICE = { name: "alice", password: "wonderland" };
const LIMIT_MS = 60_000;

let rig: Rig;
let port: number;

beforeAll(async () => {
  port = await freePort();
  rig = await Rig.start({ only: port }, [ALICE]);
}, LIMIT_MS);

afterAll(() => rig.stop(), LIMIT_MS);

test(
  "a user who logs in gets a session, and gets the same one back after the connection is gone",
  async () => {
    const first = await rig.logIn({ host: "127.0.0.1", port, user: ALICE });
    expect(first.session).toMatchObject({ kind: "created", server: "only", user: "alice" });
    await first.client.leave();

    const second = await rig.logIn({ host: "127.0.0.1", port, user: ALICE, from: "127.0.0.7" });
    expect(second.session).toMatchObject({ kind: "reconnected", display: first.session.display });
    expect(second.session.client).toStartWith("127.0.0.7:");
    await second.client.leave();
  },
  LIMIT_MS,
);

test("the users exist in the rig only: this machine does not know them", async () => {
  const passwd = await Bun.file("/etc/passwd").text();
  expect(passwd).not.toContain("alice");
});

test(
  "a stopped server takes every process of its sessions along",
  async () => {
    const other = await freePort();
    const second = await Rig.start({ second: other }, [ALICE]);
    const { session } = await second.logIn({ host: "127.0.0.1", port: other, user: ALICE });
    const commands = () => Array.from(new Bun.Glob("[0-9]*/cmdline").scanSync({ cwd: "/proc" }));
    expect(await runsXorg(commands(), session.display)).toBeTrue();
    await second.stop();
    expect(await runsXorg(commands(), session.display)).toBeFalse();
  },
  LIMIT_MS,
);

async function runsXorg(paths: string[], display: string): Promise<boolean> {
  const lines = await Promise.all(
    paths.map((path) =>
      Bun.file(`/proc/${path}`)
        .text()
        .catch(() => ""),
    ),
  );
  return lines.some((line) => line.includes("Xorg\0") && line.includes(`\0${display}\0`));
}
