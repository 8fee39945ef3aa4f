/** What survives a restart: who is remembered, and the sessions of the directory, in files of the data folder. */
import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSnapshot, writeSnapshot } from "../shared/snapshot.ts";
import type { StickyTable } from "../shared/sticky.ts";
import type { DirectorySession, MemoryDirectory } from "./directory.ts";
import type { Slots } from "./slots.ts";

export interface KeeperOptions {
  readonly data: string;
  readonly sticky: StickyTable;
  readonly slots: Slots;
  readonly directory: MemoryDirectory;
  /** Something could not be kept or read: a sentence. */
  onProblem(event: "sticky.problem" | "sessions.problem", sentence: string): void;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #snapshot: string;
  readonly #sessions: string;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#snapshot = join(options.data, "sticky.snapshot");
    this.#sessions = join(options.data, "sessions.json");
  }

  /** Reads what an earlier process kept. @returns how many clients are remembered. */
  async restore(nowSec: number): Promise<number> {
    const { sticky, slots, directory, onProblem } = this.#options;
    const { entries, problem } = await readSnapshot(this.#snapshot, sticky, (name) => slots.idOf(name), nowSec);
    if (problem !== undefined) onProblem("sticky.problem", problem);
    try {
      directory.restore(JSON.parse(await readFile(this.#sessions, "utf8")) as DirectorySession[], false);
    } catch (error) {
      const isFirstStart = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (!isFirstStart) onProblem("sessions.problem", `${this.#sessions}: ${(error as Error).message}`);
    }
    return entries;
  }

  /** Keeps what there is now. The files before stay when it cannot. */
  async save(): Promise<void> {
    const { sticky, slots, directory, onProblem } = this.#options;
    const { problem } = await writeSnapshot(this.#snapshot, sticky, (id) => slots.nameOf(id));
    if (problem !== undefined) onProblem("sticky.problem", problem);
    const temporary = `${this.#sessions}.new`;
    try {
      await writeFile(temporary, JSON.stringify(directory.sessions()), { mode: 0o600 });
      await chmod(temporary, 0o600);
      await rename(temporary, this.#sessions);
    } catch (error) {
      onProblem("sessions.problem", `${this.#sessions}: ${(error as Error).message}`);
    }
  }
}
