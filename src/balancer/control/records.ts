/** Reads what the workers write into their rings: access lines for the log, sightings of users for the directory. */

import { formatAddress } from "../../protocols/address.ts";
import { CUT_AT } from "../../protocols/rdp/user.ts";
import type { MemoryLayout } from "../shared/layout.ts";
import {
  ConnectionRecord,
  columnOfId,
  connectionIdText,
  kindAt,
  parseConnectionId,
  RecordKind,
  readRecordAt,
} from "../shared/record.ts";
import { RequestRecord, readRequestRecord } from "../shared/request-record.ts";
import { RingReader } from "../shared/ring.ts";
import { RECOGNISED_BY } from "../shared/words.ts";
import type { SessionDirectory, Sighting } from "./directory.ts";
import type { Slots } from "./slots.ts";

/** Makes the line of a connection that has ended; "" for none. */
export interface AccessLine {
  line(record: ConnectionRecord): string;
}

/** Makes the lines of the access log; null: nobody wants them. */
export interface AccessLines {
  readonly connections: AccessLine | null;
  readonly requests: { line(record: RequestRecord): string } | null;
}

/** No access log. */
export const NO_LINES: AccessLines = { connections: null, requests: null };

/** Records of one column at once, so that the main thread does other things as well. */
const AT_ONCE = 2_000;

/** The open connections of one worker: the low halves of their ids. */
export interface OpenNumbers {
  readonly column: number;
  readonly numbers: Uint32Array;
}

/** The workers, as they are asked about what was not heard. */
export interface AskedWorkers {
  list(): Promise<OpenNumbers[]>;
  /** Of those with a user that have reached a server, the worker tells once more. */
  tellAgain(open: OpenNumbers): void;
}

export interface RecordsOptions {
  readonly memory: ArrayBuffer;
  readonly layout: MemoryLayout;
  readonly slots: Slots;
  readonly directory: SessionDirectory;
  accessLines: AccessLines;
  readonly sink: { write(line: string): void };
}

export class Records {
  readonly #options: RecordsOptions;
  readonly #readers = new Map<number, RingReader>();
  readonly #record = new ConnectionRecord();
  readonly #request = new RequestRecord();
  /** Records of a column that were dropped before the directory was last compared with what its worker has. */
  readonly #compared = new Map<number, number>();

  constructor(options: RecordsOptions) {
    this.#options = options;
  }

  /** From the next line on. */
  setAccessLines(lines: AccessLines): void {
    this.#options.accessLines = lines;
  }

  /** Takes what these columns have written. @returns whether there may be more. */
  drain(columns: Iterable<number>): boolean {
    let more = false;
    for (const column of columns) {
      const reader = this.#reader(column);
      let left = AT_ONCE;
      for (let at = reader.next(); at >= 0; at = reader.next()) {
        this.#takeAt(reader, at);
        if (--left === 0) break;
      }
      more ||= left === 0;
    }
    return more;
  }

  /** Records of these columns that found no room, since the memory was made. */
  dropped(columns: Iterable<number>): number {
    let count = 0;
    for (const column of columns) count += this.#reader(column).dropped();
    return count;
  }

  /**
   * Ends in the directory what has ended without a word, because the end found no room in its ring, and has the workers tell
   * again of what has begun so. As long as no column has dropped anything, nobody is asked. One that does not answer is asked
   * the next time.
   */
  async compare(columns: readonly number[], workers: AskedWorkers, wallClock: () => number): Promise<void> {
    const dropped = columns.map((column) => [column, this.#reader(column).dropped()] as const);
    if (dropped.every(([column, count]) => count === (this.#compared.get(column) ?? 0))) return;
    const { directory } = this.#options;
    // A connection is listed from its first moment on: who was known before and is not listed has ended.
    const known = new Set(directory.open());
    const listed = await workers.list();
    const open = new Map(listed.map(({ column, numbers }) => [column, new Set(numbers)]));
    // Ends that did find room say how much was transferred.
    this.drain(columns);
    const hasEnded = (id: string) => {
      const parsed = parseConnectionId(id);
      return parsed !== undefined && known.has(id) && open.get(columnOfId(parsed.high))?.has(parsed.low) === false;
    };
    directory.lost(hasEnded, wallClock());
    for (const one of listed) this.#askAgain(one, workers);
    for (const [column, count] of dropped) if (open.has(column)) this.#compared.set(column, count);
  }

  /** Most of what the directory does not know has no user: its worker sees to that. */
  #askAgain({ column, numbers }: OpenNumbers, workers: AskedWorkers): void {
    const known = new Set<number>();
    for (const id of this.#options.directory.open()) {
      const parsed = parseConnectionId(id);
      if (parsed !== undefined && columnOfId(parsed.high) === column) known.add(parsed.low);
    }
    const unknown = numbers.filter((number) => !known.has(number));
    if (unknown.length > 0) workers.tellAgain({ column, numbers: unknown });
  }

  #reader(column: number): RingReader {
    let reader = this.#readers.get(column);
    if (reader === undefined) {
      reader = new RingReader(this.#options.memory, this.#options.layout, column);
      this.#readers.set(column, reader);
    }
    return reader;
  }

  #takeAt(reader: RingReader, at: number): void {
    if (kindAt(reader, at) !== RecordKind.REQUEST) {
      readRecordAt(this.#record, reader, at);
      return this.#take();
    }
    readRequestRecord(this.#request, reader, at);
    const { accessLines, sink } = this.#options;
    if (accessLines.requests !== null) sink.write(accessLines.requests.line(this.#request));
  }

  #take(): void {
    const record = this.#record;
    const { accessLines, directory, sink } = this.#options;
    const ended = record.kind === RecordKind.ENDED;
    if (record.userLength > 0 && record.server !== 0) {
      if (ended) this.#disconnected();
      else directory.connected(this.#sighting());
    }
    if (!ended || accessLines.connections === null) return;
    const line = accessLines.connections.line(record);
    if (line !== "") sink.write(line);
  }

  #disconnected(): void {
    const { idHigh, idLow, startedMs, durationMs, bytesIn, bytesOut } = this.#record;
    this.#options.directory.disconnected(connectionIdText(idHigh, idLow), startedMs + durationMs, bytesIn, bytesOut);
  }

  #sighting(): Sighting {
    const record = this.#record;
    const { slots } = this.#options;
    const name = slots.nameOf(record.server) ?? "";
    const pool = slots.poolName(record.pool);
    return {
      connection: connectionIdText(record.idHigh, record.idLow),
      user: record.userText(),
      userMayBeCut: record.userLength === CUT_AT,
      service: slots.serviceName(record.service),
      pool,
      server: name.slice(pool.length + 1),
      from: formatAddress(record.source),
      recognisedBy: RECOGNISED_BY[record.recognisedBy] ?? "new",
      atMs: record.startedMs,
    };
  }
}
