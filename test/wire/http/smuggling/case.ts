/**
 * The corpus of request smuggling: what a client sends, and what a server behind the balancer gets of it, to the byte. A case
 * is written down once and runs at the parsers, through the real program, and in front of nginx and Node.
 */

export interface SmugglingCase {
  /** What is tried. */
  readonly name: string;
  /** A character a byte. */
  readonly sent: string;
  /** The whole requests that a server gets, in canonical form. */
  readonly requests: readonly string[];
  /**
   * What becomes of the rest.
   * - open: there is none; the connection goes on.
   * - closed: the last request was the last one; what follows it is read by nobody.
   * - waiting: a request is not complete yet. A server may have its beginning.
   * - cut: a body is refused in the middle. A server may have its beginning, and never gets its end.
   * - a status: refused with it before a server got anything of it; the connection ends.
   */
  readonly end: "open" | "closed" | "waiting" | "cut" | number;
}

/** The request that must never arrive where the first one is to be the only one. */
export const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/** `POST /` with these field lines and this body. */
export function post(fields: string, body = ""): string {
  return `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n${body}`;
}

/** `GET /` with these field lines, and what follows. */
export function get(fields: string, behind = ""): string {
  return `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n${behind}`;
}

/** `GET /` with nothing but its host. */
export const PLAIN = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** Cases that are refused before anything of them is passed on. */
export function refused(cases: Readonly<Record<string, string>>, status = 400): SmugglingCase[] {
  return Object.entries(cases).map(([name, sent]) => ({ name, sent, requests: [], end: status }));
}

/** Cases whose body is refused in the middle. */
export function cut(cases: Readonly<Record<string, string>>): SmugglingCase[] {
  return Object.entries(cases).map(([name, sent]) => ({ name, sent, requests: [], end: "cut" }));
}

/** Cases that are passed on as these requests. */
export function passed(
  cases: Readonly<Record<string, readonly [sent: string, ...requests: string[]]>>,
  end: SmugglingCase["end"] = "open",
): SmugglingCase[] {
  return Object.entries(cases).map(([name, [sent, ...requests]]) => ({ name, sent, requests, end }));
}
