/** What survives a restart: who is remembered, who was forgotten, and the sessions of the directory, in files of the data folder. */
import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Scoreboard } from "../shared/scoreboard.ts";
import { readSnapshot, writeSnapshot } from "../shared/snapshot.ts";
import type { StickyTable } from "../shared/sticky.ts";
import type { DirectorySession, MemoryDirectory } from "./directory.ts";
import type { Slots } from "./slots.ts";

export interface KeeperOptions {
  readonly data: string;
  readonly sticky: StickyTable;
  readonly board: Scoreboard;
  readonly slots: Slots;
  readonly directory: MemoryDirectory;
  /** Something could not be kept or read: a sentence. */
  onProblem(event: "sticky.problem" | "sessions.problem" | "forgotten.problem", sentence: string): void;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #snapshot: string;
  readonly #sessions: string;
  readonly #forgotten: string;
  #stopped = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#snapshot = join(options.data, "sticky.snapshot");
    this.#sessions = join(options.data, "sessions.json");
    this.#forgotten = join(options.data, "forgotten.json");
  }

  /** Reads what an earlier process kept. @returns how many clients are remembered. */
  async restore(nowSec: number): Promise<number> {
    const { sticky, board, slots, directory, onProblem } = this.#options;
    const { entries, problem } = await readSnapshot(this.#snapshot, sticky, (name) => slots.idOf(name), nowSec);
    if (problem !== undefined) onProblem("sticky.problem", problem);
    const sessions = await this.#read(this.#sessions, "sessions.problem");
    if (Array.isArray(sessions)) directory.restore(sessions as DirectorySession[], false);
    const forgotten = await this.#read(this.#forgotten, "forgotten.problem");
    for (const [pool, words] of Object.entries(forgotten ?? {})) {
      if (Array.isArray(words)) board.forgotten(slots.pool(pool)).restore(words);
    }
    return entries;
  }

  /** Keeps what there is now. The files before stay when it cannot. */
  async save(): Promise<void> {
    if (this.#stopped) return;
    const { sticky, slots, directory, onProblem } = this.#options;
    const { problem } = await writeSnapshot(this.#snapshot, sticky, (id) => slots.nameOf(id));
    if (problem !== undefined) onProblem("sticky.problem", problem);
    await this.#write(this.#sessions, directory.sessions(), "sessions.problem");
    await this.#write(this.#forgotten, this.#whatWasForgotten(), "forgotten.problem");
  }

  /** Another process keeps it from now on. */
  stop(): void {
    this.#stopped = true;
  }

  #whatWasForgotten(): Record<string, number[]> {
    const { board, slots } = this.#options;
    const pools = slots.names().pools.map((name, slot) => [name, board.forgotten(slot).save()] as const);
    return Object.fromEntries(pools.filter((entry): entry is readonly [string, number[]] => entry[1] !== null));
  }

  /** What a file of JSON holds; undefined at the first start, or when it cannot be read. */
  async #read(file: string, event: "sessions.problem" | "forgotten.problem"): Promise<unknown> {
    try {
      return JSON.parse(await readFile(file, "utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      this.#options.onProblem(event, `${file}: ${(error as Error).message}`);
      return undefined;
    }
  }

  async #write(file: string, what: unknown, event: "sessions.problem" | "forgotten.problem"): Promise<void> {
    const temporary = `${file}.new`;
    try {
      await writeFile(temporary, JSON.stringify(what), { mode: 0o600 });
      await chmod(temporary, 0o600);
      await rename(temporary, file);
    } catch (error) {
      this.#options.onProblem(event, `${file}: ${(error as Error).message}`);
    }
  }
}
