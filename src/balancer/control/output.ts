/** Where control's words go. The process around the balancer makes it (src/process/output.ts): control knows no format. */
import type { Config } from "../../config/schema.ts";
import type { AccessLines } from "./records.ts";
import type { Slots } from "./slots.ts";

/** Writes what happens. `event` is a stable word (`server.down`), `msg` a sentence, `details` whatever belongs to the event. */
export interface EventLog {
  info(event: string, msg: string, details?: object): void;
  warn(event: string, msg: string, details?: object): void;
  error(event: string, msg: string, details?: object): void;
}

export interface Output {
  readonly log: EventLog;
  /** Takes one line of the access log with its line end. Never throws, never waits. */
  write(line: string): void;
  /** Lines dropped because their reader was too slow. */
  dropped(): number;
  /** Makes the lines of the access log that the file asks for. `fingerprintKey`: 16 bytes. */
  accessLines(config: Config, slots: Slots, fingerprintKey: Uint8Array): AccessLines;
  /** The file was read again and is in force. */
  follow(config: Config): void;
}
