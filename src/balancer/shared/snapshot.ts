/**
 * The sticky table as a file, so that a restart remembers who is where.
 *
 * The file names servers ("pool/server") instead of slots, which are made anew at each start. It is written beside the old
 * one, brought to the disk and then put in its place: a full disk or a crash leaves the old snapshot as it was. Writing and
 * reading go in parts, with other work of the thread in between. The fingerprints' key is kept elsewhere: without it the
 * file names no user.
 *
 *     file    "HOLDSTKY", version u32, 0 u32, then blocks; all numbers little-endian
 *     block   kind u32, bytes u32, CRC-32 of the payload u32, payload
 *     SERVER  number u32, then the name in UTF-8
 *     ENTRIES 32 bytes each: key 4 x u32, server's number u32, seen u32, first u32, flags u32
 *     END     entries u32: how many the whole file has
 *
 * Each block stands for itself: of a damaged file, everything before the damage is still used.
 */
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { WAYS } from "./buckets.ts";
import type { ServerId } from "./server-id.ts";
import { type StickyHit, type StickyTable, stickyHit } from "./sticky.ts";

const MAGIC = Buffer.from("HOLDSTKY", "latin1");
const VERSION = 1;
const FILE_HEAD_BYTES = 16;
const BLOCK_HEAD_BYTES = 12;
const ENTRY_BYTES = 32;
const Block = { SERVER: 1, ENTRIES: 2, END: 3 } as const;

/** Buckets written in one go: some 2 ms of this thread and at most 480 KiB. */
const BUCKETS_AT_ONCE = 1024;
const MAX_BLOCK_BYTES = 1 << 20;
const MAX_SERVERS_IN_FILE = 65536;

/** What became of a snapshot. `problem` is a sentence for the log; without it all went well. */
export interface SnapshotResult {
  /** Entries written, or put into the table. */
  readonly entries: number;
  /** Entries left out: their server is not in the configuration. */
  readonly leftOut: number;
  readonly problem?: string;
}

/**
 * Writes the table to `path` (mode 0600). `nameOf` is asked once for each server; entries of one without a name are left
 * out. One at a time for each path. Never throws: a `problem` means that the old file is still there.
 */
export async function writeSnapshot(
  path: string,
  table: StickyTable,
  nameOf: (server: ServerId) => string | undefined,
): Promise<SnapshotResult> {
  const temporary = `${path}.${process.pid}.new`;
  try {
    const file = await open(temporary, "w", 0o600);
    let result: SnapshotResult;
    try {
      result = await writeTable(file, table, nameOf);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return result;
  } catch (error) {
    await unlink(temporary).catch(() => undefined); // it may never have been made
    const problem = `The sticky table could not be written to ${path}: ${sentenceOf(error)}. The snapshot before it stays.`;
    return { entries: 0, leftOut: 0, problem };
  }
}

/**
 * Reads a snapshot into the table; clients known already stay as they are. `idOf` is asked once for each server of the
 * file. No file is no problem: 0 entries. Never throws; of a damaged file the whole blocks before the damage are used.
 */
export async function readSnapshot(
  path: string,
  table: StickyTable,
  idOf: (name: string) => ServerId | undefined,
  nowSec: number,
): Promise<SnapshotResult> {
  const reading = new SnapshotReading(table, idOf, nowSec);
  let problem: string | undefined;
  try {
    const file = await open(path, "r");
    try {
      problem = await reading.readAll(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { entries: 0, leftOut: 0 };
    problem = sentenceOf(error);
  }
  const { entries, leftOut } = reading;
  if (problem === undefined) return { entries, leftOut };
  return { entries, leftOut, problem: `The snapshot ${path} could not be read whole: ${problem}. ${used(entries)}` };
}

async function writeTable(
  file: FileHandle,
  table: StickyTable,
  nameOf: (server: ServerId) => string | undefined,
): Promise<SnapshotResult> {
  const named = new Map<ServerId, boolean>();
  let entries = 0;
  let leftOut = 0;
  const head = Buffer.alloc(FILE_HEAD_BYTES);
  MAGIC.copy(head);
  head.writeUInt32LE(VERSION, 8);
  await writeWhole(file, head);
  for (let from = 0; from < table.buckets; from += BUCKETS_AT_ONCE) {
    const parts: Buffer[] = [];
    const packed = new EntryPacker(BUCKETS_AT_ONCE);
    const visit = (key: Int32Array, known: StickyHit) => {
      let isNamed = named.get(known.server);
      if (isNamed === undefined) {
        const name = nameOf(known.server);
        isNamed = name !== undefined;
        named.set(known.server, isNamed);
        if (name !== undefined) parts.push(serverBlock(known.server, name));
      }
      if (isNamed) packed.add(key, known);
      else leftOut++;
    };
    table.forEach(visit, from, Math.min(from + BUCKETS_AT_ONCE, table.buckets));
    if (packed.entries > 0) parts.push(block(Block.ENTRIES, packed.bytes()));
    entries += packed.entries;
    await writeWhole(file, Buffer.concat(parts));
  }
  const total = Buffer.alloc(4);
  total.writeUInt32LE(entries);
  await writeWhole(file, block(Block.END, total));
  return { entries, leftOut };
}

/** Entries as bytes of one block. */
class EntryPacker {
  entries = 0;
  readonly #bytes: Buffer;

  constructor(buckets: number) {
    this.#bytes = Buffer.allocUnsafe(buckets * WAYS * ENTRY_BYTES);
  }

  add(key: Int32Array, known: StickyHit): void {
    const at = this.entries++ * ENTRY_BYTES;
    for (let word = 0; word < 4; word++) this.#bytes.writeInt32LE(key[word]!, at + word * 4);
    this.#bytes.writeUInt32LE(known.server >>> 0, at + 16);
    this.#bytes.writeUInt32LE(known.seenSec, at + 20);
    this.#bytes.writeUInt32LE(known.firstSec, at + 24);
    this.#bytes.writeInt32LE(known.flags, at + 28);
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.entries * ENTRY_BYTES);
  }
}

/** One reading of a file, block by block. The file is not trusted: every length has a bound. */
class SnapshotReading {
  entries = 0;
  leftOut = 0;
  readonly #table: StickyTable;
  readonly #idOf: (name: string) => ServerId | undefined;
  readonly #nowSec: number;
  readonly #servers = new Map<number, ServerId | undefined>();
  readonly #key = new Int32Array(4);
  readonly #known = stickyHit();
  #total = 0;

  constructor(table: StickyTable, idOf: (name: string) => ServerId | undefined, nowSec: number) {
    this.#table = table;
    this.#idOf = idOf;
    this.#nowSec = nowSec;
  }

  /** @returns what is wrong with the file, or undefined. */
  async readAll(file: FileHandle): Promise<string | undefined> {
    const head = await readWhole(file, FILE_HEAD_BYTES);
    if (!head?.subarray(0, MAGIC.length).equals(MAGIC)) return "it is no snapshot";
    if (head.readUInt32LE(8) !== VERSION)
      return `its version is ${head.readUInt32LE(8)}, this program reads ${VERSION}`;
    for (;;) {
      const blockHead = await readWhole(file, BLOCK_HEAD_BYTES);
      if (!blockHead) return "it ends too early";
      const length = blockHead.readUInt32LE(4);
      if (length > MAX_BLOCK_BYTES) return "it is damaged (a block's length)";
      const payload = await readWhole(file, length);
      if (!payload) return "it ends too early";
      if (crc32(payload) !== blockHead.readUInt32LE(8)) return "it is damaged (a checksum)";
      const kind = blockHead.readUInt32LE(0);
      if (kind === Block.END) return this.#end(payload);
      const problem = kind === Block.SERVER ? this.#server(payload) : this.#block(kind, payload);
      if (problem !== undefined) return problem;
    }
  }

  #end(payload: Buffer): string | undefined {
    if (payload.length !== 4 || payload.readUInt32LE(0) !== this.#total) return "it is damaged (the number of entries)";
    return undefined;
  }

  #server(payload: Buffer): string | undefined {
    if (payload.length < 4 || this.#servers.size >= MAX_SERVERS_IN_FILE) return "it is damaged (a server)";
    this.#servers.set(payload.readUInt32LE(0), this.#idOf(payload.toString("utf8", 4)));
    return undefined;
  }

  #block(kind: number, payload: Buffer): string | undefined {
    if (kind !== Block.ENTRIES || payload.length % ENTRY_BYTES !== 0) return "it is damaged (a block)";
    for (let at = 0; at < payload.length; at += ENTRY_BYTES) this.#entry(payload, at);
    return undefined;
  }

  #entry(payload: Buffer, at: number): void {
    this.#total++;
    const server = this.#servers.get(payload.readUInt32LE(at + 16));
    if (server === undefined) {
      this.leftOut++;
      return;
    }
    for (let word = 0; word < 4; word++) this.#key[word] = payload.readInt32LE(at + word * 4);
    this.#known.server = server;
    this.#known.seenSec = payload.readUInt32LE(at + 20);
    this.#known.firstSec = payload.readUInt32LE(at + 24);
    this.#known.flags = payload.readInt32LE(at + 28);
    if (this.#table.restore(this.#key, this.#known, this.#nowSec)) this.entries++;
  }
}

function serverBlock(server: ServerId, name: string): Buffer {
  const text = Buffer.from(name);
  const payload = Buffer.alloc(4 + text.length);
  payload.writeUInt32LE(server >>> 0);
  text.copy(payload, 4);
  return block(Block.SERVER, payload);
}

function block(kind: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(BLOCK_HEAD_BYTES);
  head.writeUInt32LE(kind, 0);
  head.writeUInt32LE(payload.length, 4);
  head.writeUInt32LE(crc32(payload), 8);
  return Buffer.concat([head, payload]);
}

/** All of `bytes`: one call may write a part only. */
async function writeWhole(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

/** The next `length` bytes, or undefined when the file ends before. */
async function readWhole(file: FileHandle, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at);
    if (bytesRead === 0) return undefined;
    at += bytesRead;
  }
  return bytes;
}

/** The new name is on the disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function used(entries: number): string {
  return entries === 0 ? "Nothing of it is used." : `Its first ${entries} entries are used.`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function sentenceOf(error: unknown): string {
  switch (codeOf(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return "the disk is full";
    case "EACCES":
    case "EPERM":
      return "this user may not do that there";
    case "ENOENT":
      return "its folder does not exist";
    case "EROFS":
      return "the disk is read-only";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
