/**
 * The log: one JSON object a line, always with `time, level, event, msg, node, role`.
 *
 * Lines go through one sink that never blocks the main thread: while a reader is slow they wait in memory, at most
 * MAX_WAITING bytes; what comes after that is dropped and counted.
 */
import { mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import pino from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error";

const MAX_WAITING = 8 * 1024 * 1024;
/** The largest piece given to the kernel at once. */
const MAX_WRITE = 64 * 1024;

/** How long the end waits for a reader that does not read. */
const FLUSH_WITHIN_MS = 2_000;
const STANDARD_OUTPUT = 1;

/** Where lines go: standard output or a file. */
export interface LogSink {
  /** Takes one line with its line end. Never throws, never waits. */
  write(line: string): void;
  /** Lines dropped because the reader was too slow, and failed writes (a full disk). */
  dropped(): number;
  /** Opens the file again, after it was moved away. If that fails, lines go on into the old one. */
  reopen(): void;
  /** The last call: writes what waits, before the process ends. Gives up on a reader that does not read. */
  flush(): Promise<void>;
}

/** Lines into `file` (appended, folder made), or standard output without one. @throws the system's error of opening. */
export function openSink(file?: string): LogSink {
  let lost = 0;
  const count = () => {
    lost++;
  };
  const open = () => {
    if (file === undefined) return destinationOn(STANDARD_OUTPUT, count);
    mkdirSync(dirname(file), { recursive: true });
    return destinationOn(openSync(file, "a", 0o640), count);
  };
  let destination = open();
  return {
    write: (line) => {
      destination.write(line);
    },
    dropped: () => lost,
    reopen: () => {
      if (file === undefined) return;
      try {
        const next = open();
        destination.end();
        destination = next;
      } catch {
        count();
      }
    },
    flush: () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => {
          // What is not closed would be waited for, however long, when the process exits.
          destination.destroy();
          resolve();
        }, FLUSH_WITHIN_MS);
        destination.once("close", () => {
          clearTimeout(timer);
          resolve();
        });
        destination.end();
      }),
  };
}

function destinationOn(fd: number, onLoss: () => void) {
  const destination = pino.destination({ dest: fd, sync: false, maxLength: MAX_WAITING, maxWrite: MAX_WRITE });
  destination.on("drop", onLoss);
  destination.on("error", onLoss);
  return destination;
}

/** Writes log lines. `event` is stable (`server.down`), `msg` a sentence, `details` whatever belongs to the event. */
export interface Log {
  debug(event: string, msg: string, details?: object): void;
  info(event: string, msg: string, details?: object): void;
  warn(event: string, msg: string, details?: object): void;
  error(event: string, msg: string, details?: object): void;
  /** From the next line on. */
  setLevel(level: LogLevel): void;
}

/** A log into `sink`. `role` says which part of the product speaks: balancer, agent, supervisor. */
export function createLog(options: { sink: LogSink; level: LogLevel; node: string; role: string }): Log {
  const logger = pino(
    {
      level: options.level,
      base: { node: options.node, role: options.role },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (word) => ({ level: word }) },
    },
    { write: (line: string) => options.sink.write(line) },
  );
  const at = (level: LogLevel) => (event: string, msg: string, details?: object) =>
    logger[level]({ ...details, event }, msg);
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    setLevel: (level) => {
      logger.level = level;
    },
  };
}
