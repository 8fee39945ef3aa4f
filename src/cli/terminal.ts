/** Where the command line writes: results to standard output, messages to standard error, each judged by itself. */
import { isatty } from "node:tty";

/** What a stretch of text means to the eye; never the only sign of anything. */
export type Style = "blue" | "purple" | "grey" | "cyan" | "amber" | "red" | "bold" | "dim";

const SGR: Readonly<Record<Style, string>> = {
  blue: "34",
  purple: "35",
  grey: "90",
  cyan: "36",
  amber: "33",
  red: "31",
  bold: "1",
  dim: "2",
};

/** Width of output that is no terminal and has no COLUMNS. */
const DEFAULT_WIDTH = 80;

export interface Stream {
  readonly isTerminal: boolean;
  readonly colour: boolean;
  /** Characters a line. */
  width(): number;
  write(text: string): void;
}

export interface Terminal {
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** May a person be asked? */
  readonly canAsk: boolean;
  /** Can this output show ●? Otherwise words stand alone. */
  readonly glyphs: boolean;
}

/** Looks at the process's own streams. `noColor` is the flag; NO_COLOR and TERM=dumb say the same. */
export function processTerminal(env: Record<string, string | undefined>, noColor: boolean): Terminal {
  const plain = noColor || (env.NO_COLOR ?? "") !== "" || env.TERM === "dumb";
  const stream = (target: NodeJS.WriteStream, fd: number): Stream => ({
    isTerminal: isatty(fd),
    colour: isatty(fd) && !plain,
    width: () => (isatty(fd) ? target.columns : Number(env.COLUMNS)) || DEFAULT_WIDTH,
    write: (text) => {
      target.write(text);
    },
  });
  return {
    stdout: stream(process.stdout, 1),
    stderr: stream(process.stderr, 2),
    canAsk: isatty(0) && isatty(2),
    glyphs: /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || ""),
  };
}

/** The text in its style, where the stream shows styles. */
export function paint(stream: Stream, style: Style | undefined, text: string): string {
  return stream.colour && style !== undefined ? `\x1b[${SGR[style]}m${text}\x1b[0m` : text;
}
