/** Copying what came into what goes out. */
import { ascii, CR, LF, SPACE } from "../ascii.ts";
import { Field, type FieldTable, type NameSet, type Span } from "./fields.ts";

const COLON = 0x3a;
/** From so many bytes on the runtime's own copy is faster than a loop: 20 ns, however many. */
const LONG = 24;
// A Uint8Array will do, so nobody has to be a Buffer; unlike `set` it needs no subarray, which would be an object a call.
const copyBytes = Buffer.prototype.copy as (
  this: Uint8Array,
  into: Uint8Array,
  at: number,
  from: number,
  to: number,
) => number;

/** Copies `bytes[from, to)` to `into[at]`; what there is no room for is left out. @returns the position behind it. */
export function copySpan(bytes: Uint8Array, from: number, to: number, into: Uint8Array, at: number): number {
  if (to - from >= LONG) copyBytes.call(bytes, into, at, from, to);
  else for (let i = from; i < to; i++) into[at + i - from] = bytes[i]!;
  return at + to - from;
}

/** Copies all of `bytes`, as copySpan does. */
export function copyAll(bytes: Uint8Array, into: Uint8Array, at: number): number {
  return copySpan(bytes, 0, bytes.length, into, at);
}

/**
 * Writes the fields that are neither in `dropped` (a bit for each of Field) nor in `removed`, each as `Name: value` and a
 * CRLF. Neighbours that came like that are one copy. What there is no room for is left out.
 * @returns the position behind them.
 */
export function passFields(
  bytes: Uint8Array,
  fields: FieldTable,
  dropped: number,
  removed: NameSet,
  into: Uint8Array,
  at: number,
): number {
  const { codes, spans, count } = fields;
  const filtered = removed.size > 0;
  let next = at;
  let runAt = 0;
  let runEnd = 0; // nothing to copy: equal to runAt
  for (let i = 0; i < count; i++) {
    if ((dropped & (1 << codes[i]!)) !== 0) continue;
    const nameAt = spans[i * 4]!;
    const nameEnd = spans[i * 4 + 1]!;
    if (filtered && removed.has(bytes, nameAt, nameEnd)) continue;
    const valueAt = spans[i * 4 + 2]!;
    const valueEnd = spans[i * 4 + 3]!;
    const tidy = valueAt - nameEnd === 2 && bytes[nameEnd + 1] === SPACE && bytes[valueEnd] === CR;
    if (tidy && nameAt === runEnd) {
      runEnd = valueEnd + 2;
      continue;
    }
    if (runEnd > runAt) next = copySpan(bytes, runAt, runEnd, into, next);
    runAt = nameAt;
    runEnd = valueEnd + 2;
    if (tidy) continue;
    next = copySpan(bytes, nameAt, nameEnd, into, next);
    into[next++] = COLON;
    into[next++] = SPACE;
    next = endLine(into, copySpan(bytes, valueAt, valueEnd, into, next));
    runAt = 0;
    runEnd = 0;
  }
  return runEnd > runAt ? copySpan(bytes, runAt, runEnd, into, next) : next;
}

const COOKIE = ascii("Cookie: ");

/** Writes the Cookie fields without what is `hidden` in one of them; a field of which nothing is left is not written. */
export function passCookies(
  bytes: Uint8Array,
  fields: FieldTable,
  hidden: Span,
  removed: NameSet,
  into: Uint8Array,
  at: number,
): number {
  let next = at;
  for (let i = fields.find(Field.COOKIE); i >= 0; i = fields.find(Field.COOKIE, i + 1)) {
    const from = fields.valueAt(i);
    const to = fields.valueEnd(i);
    const isHere = hidden.at >= from && hidden.end <= to;
    if (isHere && hidden.end - hidden.at === to - from) continue;
    if (removed.size > 0 && removed.has(bytes, fields.nameAt(i), fields.nameEnd(i))) continue;
    next = copyAll(COOKIE, into, next);
    next = copySpan(bytes, from, isHere ? hidden.at : to, into, next);
    if (isHere) next = copySpan(bytes, hidden.end, to, into, next);
    next = endLine(into, next);
  }
  return next;
}

/** Ends a line. @returns the position behind it. */
export function endLine(into: Uint8Array, at: number): number {
  into[at] = CR;
  into[at + 1] = LF;
  return at + 2;
}
