/** A folder that looks like the /proc and /run of a machine, for the agent to measure. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export class Machine {
  readonly root = mkdtempSync(join(tmpdir(), "holdfast-machine-"));

  constructor() {
    this.write("proc/stat", "cpu  100 0 0 900 0 0 0 0 0 0\ncpu0 100 0 0 900 0 0 0 0 0 0\n");
    this.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 400 kB\n");
    this.write("proc/loadavg", "0.50 0.50 0.50 1/100 1234\n");
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), content);
  }

  /** A process with this name. */
  process(id: number, name: string): void {
    this.write(`proc/${id}/comm`, `${name}\n`);
  }

  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}
