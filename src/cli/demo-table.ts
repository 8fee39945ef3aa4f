/** What the demo prints: its table, which grows as clients come back, and its last words. */
import type { Return } from "../demo/round.ts";
import { percentText, plural } from "./figures.ts";
import { align, cell, columnWidths, type Line, lineText } from "./line.ts";
import { stateStyle } from "./state.ts";
import type { Terminal } from "./terminal.ts";

const HEADER = ["USER", "WAS ON", "AWAY", "CAME FROM", "LANDED ON", "RECOGNISED BY", "OWN SESSION"].map((text) =>
  cell(text),
);
/** Beside the user, whose name may be longer than any of these. */
const WIDEST = ["", "rds1", "9.9 s", "127.0.0.1"].map((text) => cell(text));

export class DemoTable {
  readonly #terminal: Terminal;
  readonly #widths: readonly number[];
  #begun = false;

  /** The widths are those of the header and the users: a row never moves the ones before. */
  constructor(terminal: Terminal, users: readonly string[]) {
    this.#terminal = terminal;
    this.#widths = columnWidths([HEADER, WIDEST, ...users.map((user) => [cell(user)])]);
  }

  /** The next line; the header comes with the first. */
  row(row: Return): string {
    const header = this.#begun ? "" : this.#text(HEADER);
    this.#begun = true;
    return (
      header +
      this.#text([
        cell(row.user),
        cell(row.wasOn),
        cell(`${(row.awayMs / 1000).toFixed(1)} s`),
        cell(row.from),
        cell(row.landedOn ?? "nowhere"),
        cell(row.recognisedBy),
        this.#result(row),
      ])
    );
  }

  #result({ result, wasOn, why }: Return) {
    const { glyphs } = this.#terminal;
    if (result === "own") return cell(glyphs ? "● yes" : "yes", stateStyle("up"));
    const text = result === "killed" ? `no: ${wasOn} died` : `no: ${why}`;
    return cell(glyphs ? `✕ ${text}` : text, stateStyle("down"));
  }

  #text(line: Line): string {
    const { stdout } = this.#terminal;
    return `${lineText(stdout, align(line, this.#widths), stdout.width())}\n`;
  }
}

/** "Own session: 23 of 24 (95.8 %), the other is the killed server's user." */
export function resultText(returns: readonly Return[]): string {
  const count = (result: Return["result"]) => returns.filter((one) => one.result === result).length;
  const own = count("own");
  const lost = count("lost");
  const ratio = returns.length === 0 ? "" : ` (${percentText(own / returns.length)})`;
  const killed = killedText(count("killed"), lost === 0);
  const sentence = `Own session: ${own} of ${returns.length}${ratio}${killed}.`;
  return lost === 0 ? sentence : `${sentence} ${plural(lost, "client")} did not get the session that was there.`;
}

function killedText(count: number, allOthers: boolean): string {
  if (count === 0) return "";
  if (!allOthers) return `, ${count} lost it with the killed server`;
  return count === 1 ? ", the other is the killed server's user" : ", the others are the killed server's users";
}
