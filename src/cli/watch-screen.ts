/** `holdfast status --watch` on a terminal: redrawn in place, changed cells bold for three seconds, a few keys. */
import type { StatusReport } from "../balancer/control/balancer.ts";
import { Exit } from "./exit.ts";
import { clockText, durationText, plural } from "./figures.ts";
import { interruptible } from "./interrupt.ts";
import { type Line, lineText } from "./line.ts";
import { statusLines } from "./status-text.ts";
import { paint, type Stream, type Terminal } from "./terminal.ts";
import { readOrNull, type StatusSource } from "./watch-lines.ts";

const BOLD_MS = 3_000;
/** Keys are answered this soon, whatever the interval of reading. */
const KEYS_MS = 50;
const SORTS = ["file", "open", "state", "name"] as const;

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE_END = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

const HELP = [
  "s      sort servers: as in the file, by open connections, by state, by name",
  "/      show only what contains a text; Enter keeps it, Esc clears it",
  "space  pause and go on",
  "?      this help, and back",
  "q      quit (also Ctrl-C)",
];

/** What the keys have chosen and what is bold: everything of the screen but its drawing. */
export class WatchModel {
  sort: (typeof SORTS)[number] = "file";
  filter = "";
  typing = false;
  paused = false;
  help = false;
  quit = false;
  #shown = new Map<string, string>();
  #changedAt = new Map<string, number>();

  /** One key, or what a terminal sends for it. */
  key(key: string): void {
    if (key === "\x03") this.quit = true;
    else if (this.typing) this.#type(key);
    else if (key === "q") this.quit = true;
    else if (key === "s") this.sort = SORTS[(SORTS.indexOf(this.sort) + 1) % SORTS.length]!;
    else if (key === "/") this.typing = true;
    else if (key === " ") this.paused = !this.paused;
    else if (key === "?") this.help = !this.help;
    else if (key === "\x1b") this.filter = "";
  }

  #type(key: string): void {
    if (key === "\r" || key === "\n") this.typing = false;
    else if (key === "\x1b") [this.typing, this.filter] = [false, ""];
    else if (key === "\x7f" || key === "\b") this.filter = this.filter.slice(0, -1);
    else if (/^[\x20-\x7e]$/.test(key) && this.filter.length < 64) this.filter += key;
  }

  /** The report as sort and filter want it. */
  select(status: StatusReport): StatusReport {
    const wanted = (name: string) => name.toLowerCase().includes(this.filter.toLowerCase());
    const pools = status.pools.flatMap((pool) => {
      const servers = pool.servers.filter((server) => wanted(`${pool.name}/${server.name}`));
      if (this.sort === "open") servers.sort((a, b) => b.open - a.open);
      if (this.sort === "state") servers.sort((a, b) => a.state.localeCompare(b.state));
      if (this.sort === "name") servers.sort((a, b) => a.name.localeCompare(b.name));
      return servers.length === 0 ? [] : [{ ...pool, servers }];
    });
    return { ...status, pools, services: status.services.filter((service) => wanted(service.name)) };
  }

  /** Keys of the cells that changed within the last three seconds. The first picture has none. */
  changed(lines: readonly Line[], now: number): Set<string> {
    for (const { key, text } of lines.flat()) {
      if (key === undefined) continue;
      const before = this.#shown.get(key);
      if (before !== undefined && before !== text.trim()) this.#changedAt.set(key, now);
      this.#shown.set(key, text.trim());
    }
    for (const [key, at] of this.#changedAt) if (now - at >= BOLD_MS) this.#changedAt.delete(key);
    return new Set(this.#changedAt.keys());
  }

  /** The line at the foot. */
  foot(everyMs: number): string {
    if (this.typing) return `/ ${this.filter}_   Enter keep   Esc clear`;
    const sort = this.sort === "file" ? "s sort" : `s sort: ${this.sort}`;
    const filter = this.filter === "" ? "/ filter" : `/ filter: ${this.filter}`;
    const every = everyMs % 1_000 === 0 ? `${everyMs / 1_000} s` : `${everyMs} ms`;
    return `${this.paused ? "paused" : `every ${every}`}   ${sort}   ${filter}   space ${this.paused ? "go on" : "pause"}   ? help   q quit`;
  }
}

/** Keys in what a terminal sent at once: characters one by one, an arrow or function key (ESC and more) in one piece. */
function keysIn(sent: string): string[] {
  return sent.length > 1 && sent.startsWith("\x1b") ? [sent] : [...sent];
}

interface Picture {
  status: StatusReport;
  /** Since when nothing answered; null while all is well. */
  lostSince: number | null;
}

/** Draws until `q` or Ctrl-C. */
export async function watchScreen(terminal: Terminal, first: StatusReport, source: StatusSource): Promise<number> {
  const model = new WatchModel();
  const onKey = (bytes: Buffer) => {
    for (const key of keysIn(bytes.toString())) model.key(key);
  };
  const keys = process.stdin.isTTY === true;
  if (keys) process.stdin.setRawMode(true).on("data", onKey).resume();
  terminal.stdout.write(ENTER);
  const code = await interruptible(async (wait) => {
    const picture: Picture = { status: first, lostSince: null };
    let readAt = performance.now();
    let drawn = "";
    while (!model.quit) {
      if (performance.now() - readAt >= source.everyMs && !model.paused) {
        const status = await readOrNull(source);
        if (status !== null) [picture.status, picture.lostSince] = [status, null];
        else picture.lostSince ??= Date.now();
        readAt = performance.now();
      }
      const frame = frameText(terminal, model, picture, source.everyMs);
      if (frame !== drawn) terminal.stdout.write(frame);
      drawn = frame;
      await wait(KEYS_MS);
    }
    return Exit.DONE;
  }).finally(() => {
    terminal.stdout.write(LEAVE);
    if (keys) process.stdin.setRawMode(false).off("data", onKey).pause();
  });
  return code;
}

function frameText(terminal: Terminal, model: WatchModel, { status, lostSince }: Picture, everyMs: number): string {
  const { stdout } = terminal;
  const width = stdout.width();
  const height = process.stdout.rows || 24;
  // Ages are those of the report, so that a picture that is not live does not pretend to be.
  const now = Date.parse(status.at);
  const lines = statusLines(model.select(status), { width, now, glyphs: terminal.glyphs });
  const bold = model.changed(lines, now);
  const text = model.help ? HELP : fitHeight(stdout, lines, width, height - 3, bold);
  const foot = lostSince === null ? model.foot(everyMs) : lostText(status, lostSince);
  const all = [...text, "", paint(stdout, lostSince === null ? "dim" : "red", foot.slice(0, width))];
  return `${HOME}${all.map((line) => line + CLEAR_LINE_END).join("\r\n")}${CLEAR_BELOW}`;
}

function fitHeight(
  stdout: Stream,
  lines: readonly Line[],
  width: number,
  height: number,
  bold: ReadonlySet<string>,
): string[] {
  const shown = lines.length <= height ? lines : lines.slice(0, Math.max(0, height - 1));
  const text = shown.map((line) => lineText(stdout, line, width, bold));
  const hidden = lines.length - shown.length;
  return hidden === 0 ? text : [...text, `${plural(hidden, "line")} more: make the window higher, or / filter`];
}

function lostText(status: StatusReport, lostSince: number): string {
  const now = Date.now();
  return `no answer for ${durationText(now - lostSince)}, trying on: this is as of ${clockText(status.at, now, true)}   q quit`;
}
