import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerId } from "../../../src/balancer/shared/server-id.ts";
import { readSnapshot, writeSnapshot } from "../../../src/balancer/shared/snapshot.ts";
import { FOUND, MISS, StickyTable, stickyHit } from "../../../src/balancer/shared/sticky.ts";
import { keyOf, randomFrom, testMemory } from "./shared-memory.ts";

const NOW = 1_800_000_000;
const BEFORE = new Map<ServerId, string>([
  [4097 as ServerId, "desktops/rds1"],
  [4098 as ServerId, "desktops/rds2"],
]);
/** The same names in other slots, as after a restart. */
const AFTER = new Map<string, ServerId>([
  ["desktops/rds2", 8001 as ServerId],
  ["desktops/rds1", 8002 as ServerId],
]);
const nameOf = (server: ServerId) => BEFORE.get(server);
const idOf = (name: string) => AFTER.get(name);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-snapshot-"));
});
afterAll(() => rm(folder, { recursive: true }));

function newTable(): StickyTable {
  const memory = testMemory();
  return new StickyTable(memory.buffer, memory.layout, 0);
}

/** `clients` of two servers, each last seen at a second of their own. */
function filledTable(clients: number): StickyTable {
  const table = newTable();
  for (let number = 0; number < clients; number++) {
    const server = (4097 + (number % 2)) as ServerId;
    table.remember(keyOf(number), server, NOW - 100 - number, 1);
    table.touch(keyOf(number), NOW - number);
  }
  return table;
}

test("after a restart every client is on the server of the same name, with their times and flags", async () => {
  const path = join(folder, "whole");
  expect(await writeSnapshot(path, filledTable(500), nameOf)).toEqual({ entries: 500, leftOut: 0 });
  const table = newTable();
  expect(await readSnapshot(path, table, idOf, NOW)).toEqual({ entries: 500, leftOut: 0 });
  const hit = stickyHit();
  for (let number = 0; number < 500; number++) {
    expect(table.find(keyOf(number), NOW, 0, 0, hit)).toBe(FOUND);
    const server = number % 2 === 0 ? 8002 : 8001;
    expect(hit).toEqual({ server, seenSec: NOW - number, firstSec: NOW - 100 - number, flags: 1 } as typeof hit);
  }
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await readdir(folder)).filter((name) => name.endsWith(".new"))).toEqual([]);
});

test("an empty table is a snapshot too", async () => {
  const path = join(folder, "empty");
  await writeSnapshot(path, newTable(), nameOf);
  expect(await readSnapshot(path, newTable(), idOf, NOW)).toEqual({ entries: 0, leftOut: 0 });
});

test("clients of servers that are not configured any more are left out, when writing and when reading", async () => {
  const path = join(folder, "left-out");
  const onlyFirst = (server: ServerId) => (server === 4097 ? "desktops/rds1" : undefined);
  expect(await writeSnapshot(path, filledTable(100), onlyFirst)).toEqual({ entries: 50, leftOut: 50 });
  expect(await readSnapshot(path, newTable(), () => undefined, NOW)).toEqual({ entries: 0, leftOut: 50 });
});

test("a client who came back before the snapshot was read keeps the newer server", async () => {
  const path = join(folder, "newer");
  await writeSnapshot(path, filledTable(10), nameOf);
  const table = newTable();
  table.remember(keyOf(3), 9000 as ServerId, NOW);
  expect((await readSnapshot(path, table, idOf, NOW)).entries).toBe(9);
  const hit = stickyHit();
  table.find(keyOf(3), NOW, 0, 0, hit);
  expect(hit.server).toBe(9000 as ServerId);
});

test("no snapshot yet is no problem; a folder in its place is", async () => {
  expect(await readSnapshot(join(folder, "none"), newTable(), idOf, NOW)).toEqual({ entries: 0, leftOut: 0 });
  const { problem } = await readSnapshot(folder, newTable(), idOf, NOW);
  expect(problem).toContain(folder);
});

test("a file cut at any length is read without a throw, and said to be cut", async () => {
  const path = join(folder, "to-cut");
  await writeSnapshot(path, filledTable(20), nameOf);
  const whole = await readFile(path);
  const cut = join(folder, "cut");
  for (let length = 0; length < whole.length; length += 7) {
    await writeFile(cut, whole.subarray(0, length));
    const result = await readSnapshot(cut, newTable(), idOf, NOW);
    expect(result.problem).toMatch(/ends too early|is no snapshot/);
  }
  // Without its last block, everything before it is used.
  await writeFile(cut, whole.subarray(0, whole.length - 1));
  expect(await readSnapshot(cut, newTable(), idOf, NOW)).toEqual({
    entries: 20,
    leftOut: 0,
    problem: `The snapshot ${cut} could not be read whole: it ends too early. Its first 20 entries are used.`,
  });
});

test("a byte that was changed anywhere is noticed, and no client lands on a wrong server", async () => {
  const path = join(folder, "to-damage");
  const clients = 40;
  await writeSnapshot(path, filledTable(clients), nameOf);
  const whole = await readFile(path);
  const random = randomFrom(11);
  const hit = stickyHit();
  for (let at = 0; at < whole.length; at += 5) {
    if (at >= 12 && at < 16) continue; // spare bytes of the head
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 1 << random(8);
    await writeFile(path, damaged);
    const table = newTable();
    const { problem } = await readSnapshot(path, table, idOf, NOW);
    if (problem === undefined) throw new Error(`a change at byte ${at} was not noticed`);
    for (let number = 0; number < clients; number++)
      if (table.find(keyOf(number), NOW, 0, 0, hit) !== MISS && hit.server !== (number % 2 === 0 ? 8002 : 8001))
        throw new Error(`a change at byte ${at} moved a client`);
  }
});

test("a snapshot of another version is left alone", async () => {
  const path = join(folder, "version");
  await writeSnapshot(path, filledTable(1), nameOf);
  const bytes = await readFile(path);
  bytes.writeUInt32LE(2, 8);
  await writeFile(path, bytes);
  expect((await readSnapshot(path, newTable(), idOf, NOW)).problem).toContain("its version is 2");
});

test("a folder that is not there is a sentence, not a throw", async () => {
  const result = await writeSnapshot(join(folder, "absent", "sticky"), newTable(), nameOf);
  expect(result.problem).toContain("its folder does not exist");
});

test("when the disk is full the old snapshot stays and nothing lies about", async () => {
  // A file system of 64 KiB, seen only by this child: in a mount namespace of its own.
  const disk = join(folder, "disk");
  const child = Bun.spawn(
    [
      ...["unshare", "--mount", "sh", "-c"],
      'mkdir "$1" && mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"',
      ...["sh", disk, process.execPath, join(import.meta.dir, "full-disk.ts"), join(disk, "sticky")],
    ],
    { stdout: "pipe", stderr: "pipe" },
  );
  const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect(errors).toBe("");
  expect(JSON.parse(text)).toEqual({
    small: { entries: 10, leftOut: 0 },
    large: {
      entries: 0,
      leftOut: 0,
      problem: `The sticky table could not be written to ${join(disk, "sticky")}: the disk is full. The snapshot before it stays.`,
    },
    files: ["sticky"],
    readAgain: { entries: 10, leftOut: 0 },
  });
});
