/** A list of fields as HPACK gives it: all bytes in one buffer, which is used again for each list. */

/** What a field counts besides its bytes against the size of a list or a table (RFC 7541 4.1, RFC 9113 10.5.1). */
export const FIELD_OVERHEAD = 32;

export class FieldList {
  /** Names and values one behind the other. */
  readonly bytes: Uint8Array;
  /** Of field i: the name begins at [2i], its value at [2i + 1] and ends at [2i + 2]. */
  readonly bounds: Int32Array;
  count = 0;
  /** There were more, or longer ones, than the limit allows: what is here is not all. */
  tooLarge = false;
  /** Of names and values, and FIELD_OVERHEAD for each field. */
  readonly limit: number;
  /** The size so far, counted like the limit. */
  size = 0;

  /** `slack`: room behind the limit for one field that does not count any more. */
  constructor(limit: number, slack: number) {
    this.limit = limit;
    this.bytes = new Uint8Array(limit + slack);
    this.bounds = new Int32Array(2 * (Math.floor(limit / FIELD_OVERHEAD) + 1) + 1);
  }

  clear(): void {
    this.count = 0;
    this.size = 0;
    this.tooLarge = false;
  }

  /** Where the next name begins. */
  get end(): number {
    return this.bounds[2 * this.count]!;
  }

  /** The bytes behind `end` have become a field. @returns whether it was within the limit. */
  add(valueAt: number, end: number): boolean {
    if (!this.counts(end - this.end)) return false;
    this.count++;
    this.bounds[2 * this.count - 1] = valueAt;
    this.bounds[2 * this.count] = end;
    return true;
  }

  /** Counts a field with so many bytes. @returns whether it is within the limit. */
  counts(length: number): boolean {
    this.size += length + FIELD_OVERHEAD;
    if (this.size > this.limit) this.tooLarge = true;
    return !this.tooLarge;
  }

  nameAt(field: number): number {
    return this.bounds[2 * field]!;
  }

  /** Also the end of the name. */
  valueAt(field: number): number {
    return this.bounds[2 * field + 1]!;
  }

  valueEnd(field: number): number {
    return this.bounds[2 * field + 2]!;
  }
}
