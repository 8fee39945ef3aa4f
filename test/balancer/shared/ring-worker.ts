/** A thread of ring.test.ts: writes numbered records whose every byte follows from the number. */
import { type RingReader, RingWriter } from "../../../src/balancer/shared/ring.ts";
import { mapped, type Share } from "./shared-memory.ts";

declare const self: Worker;

export interface RingJob extends Share {
  readonly column: number;
  readonly records: number;
}

const lengthOf = (number: number) => 8 + (number % 190);

/** Is the record at `at` whole: its length and its bytes as its number says? */
export function isRecord(reader: RingReader, at: number): boolean {
  const number = reader.words[at / 4]!;
  if (reader.length !== lengthOf(number)) return false;
  for (let byte = 4; byte < reader.length; byte++)
    if (reader.bytes[at + byte] !== ((number + byte) & 0xff)) return false;
  return true;
}

if (!Bun.isMainThread)
  self.onmessage = (event: MessageEvent<RingJob>) => {
    const { layout, column, records } = event.data;
    const writer = new RingWriter(mapped(event.data), layout, column);
    let written = 0;
    for (let number = 0; number < records; number++) {
      const length = lengthOf(number);
      const at = writer.reserve(length);
      if (at < 0) continue;
      writer.words[at / 4] = number;
      for (let byte = 4; byte < length; byte++) writer.bytes[at + byte] = number + byte;
      writer.commit();
      written++;
    }
    self.postMessage({ written });
  };
