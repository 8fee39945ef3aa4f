/** A child of snapshot.test.ts on a file system of 64 KiB: one snapshot fits, the next does not. Prints what happened. */
import { readdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { ServerId } from "../../../src/balancer/shared/server-id.ts";
import { readSnapshot, writeSnapshot } from "../../../src/balancer/shared/snapshot.ts";
import { StickyTable } from "../../../src/balancer/shared/sticky.ts";
import { keyOf, testMemory } from "./shared-memory.ts";

const path = process.argv[2]!;
const SERVER = 4097 as ServerId;

function table(clients: number): StickyTable {
  const memory = testMemory({ stickyEntries: 8192 });
  const made = new StickyTable(memory.buffer, memory.layout, 0);
  for (let number = 0; number < clients; number++) made.remember(keyOf(number), SERVER, 1_800_000_000);
  return made;
}

const small = await writeSnapshot(path, table(10), () => "pool/server");
const large = await writeSnapshot(path, table(5000), () => "pool/server");
const files = await readdir(dirname(path));
const readAgain = await readSnapshot(path, table(0), () => SERVER, 1_800_000_000);
console.log(JSON.stringify({ small, large, files, readAgain }));
