/**
 * The log: one JSON object a line, always with `time, level, event, msg, node, role`.
 *
 * Lines go through one sink that never blocks the main thread: while a reader is slow they wait in memory, at most
 * MAX_WAITING bytes; what comes after that is dropped and counted.
 */
import pino from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error";

const MAX_WAITING = 8 * 1024 * 1024;
/** The largest piece given to the kernel at once. */
const MAX_WRITE = 64 * 1024;

/** Where lines go: standard output or a file. */
export interface LogSink {
  /** Takes one line with its line end. Never throws, never waits. */
  write(line: string): void;
  /** Lines dropped because the reader was too slow or the disk full. */
  dropped(): number;
  /** Opens the file again, after it was moved away. */
  reopen(): void;
  /** Writes what waits, before the process ends. */
  flush(): void;
}

/** Lines into `file` (appended, folder made), or standard output without one. Errors of writing only count as drops. */
export function openSink(file?: string): LogSink {
  let dropped = 0;
  const destination = pino.destination({
    dest: file ?? 1,
    sync: false,
    append: true,
    mkdir: true,
    maxLength: MAX_WAITING,
    maxWrite: MAX_WRITE,
  });
  destination.on("drop", () => {
    dropped++;
  });
  destination.on("error", () => {
    dropped++;
  });
  return {
    write: (line) => {
      destination.write(line);
    },
    dropped: () => dropped,
    reopen: () => {
      if (file !== undefined) destination.reopen();
    },
    flush: () => {
      try {
        destination.flushSync();
      } catch {
        dropped++; // nobody reads any more: there is nowhere left to say so
      }
    },
  };
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
