/** Waiting for what nobody tells of. */

/** Whatever a test waits for happens within this time, or never. */
const WITHIN_MS = 20_000;
/** Nothing tells when a figure changes: it is asked for again after this long. */
const BETWEEN_LOOKS_MS = 20;

/** Asks again and again; resolves with the first answer that is neither false nor undefined. Rejects after `limitMs`. */
export async function until<T>(
  what: string,
  look: () => T | false | undefined | Promise<T | false | undefined>,
  limitMs = WITHIN_MS,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== undefined) return seen;
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`);
    await Bun.sleep(BETWEEN_LOOKS_MS);
  }
}
