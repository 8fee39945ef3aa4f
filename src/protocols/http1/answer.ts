/** Answers of the balancer itself, whole and ready to be sent. */
import { ascii } from "../ascii.ts";
import type { NamedField } from "./fields.ts";
import { fieldLines, withoutFraming } from "./rules.ts";

/** One answer in its two endings. For HEAD only the head is sent: the first `…Head` bytes. */
export interface Answer {
  readonly status: number;
  /** The connection goes on. */
  readonly kept: Uint8Array;
  readonly keptHead: number;
  /** With `Connection: close`. */
  readonly closing: Uint8Array;
  readonly closingHead: number;
}

/** Reason phrases (RFC 9110 15) of statuses that a balancer gives itself. */
const PHRASES: Readonly<Record<number, string>> = {
  200: "OK",
  204: "No Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  410: "Gone",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  421: "Misdirected Request",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** What a person reads who meets one, and can do about it. */
const SENTENCES: Readonly<Record<number, string>> = {
  400: "The request could not be read without doubt, so it was not passed on.",
  403: "This is not open to you.",
  404: "There is nothing at this address.",
  405: "This cannot be done here.",
  408: "The request took too long to arrive.",
  413: "The request is larger than is allowed here.",
  414: "The address is longer than is allowed here.",
  417: "What the request expects cannot be done here.",
  429: "There were too many requests from here. Try again in a moment.",
  431: "The request's header is larger than is allowed here.",
  500: "Something went wrong here. Try again in a moment.",
  501: "The request asks for something that cannot be done here.",
  502: "The server gave no answer that could be passed on. Try again in a moment.",
  503: "No server is free at the moment. Try again in a moment.",
  504: "The server took too long to answer. Try again in a moment.",
  505: "This version of HTTP is not spoken here.",
};

const HTML = "text/html; charset=utf-8";

/** `HTTP/1.1 100 Continue` and nothing else. */
export const CONTINUE = ascii("HTTP/1.1 100 Continue\r\n\r\n");

/** The reason phrase of `status`; empty for one that is not known here. */
export function phraseOf(status: number): string {
  return PHRASES[status] ?? "";
}

/**
 * Makes an answer. `fields` are whole fields besides Content-Length; one of them may be Content-Type instead of
 * `contentType`, which is not said without a body.
 */
export function buildAnswer(
  status: number,
  contentType: string,
  body: Uint8Array,
  fields: readonly NamedField[],
): Answer {
  const [kept, keptHead] = build(status, contentType, body, fields, false);
  const [closing, closingHead] = build(status, contentType, body, fields, true);
  return { status, kept, keptHead, closing, closingHead };
}

function build(
  status: number,
  contentType: string,
  body: Uint8Array,
  fields: readonly NamedField[],
  close: boolean,
): [whole: Uint8Array, head: number] {
  const bodiless = status === 204 || status === 304; // RFC 9110 8.6: a 204 has no length either
  const all = withoutFraming(fields);
  const typed = fields.some((field) => field.name.toLowerCase() === "content-type");
  if (body.length > 0 && !bodiless && !typed) all.unshift({ name: "Content-Type", value: contentType });
  if (close) all.push({ name: "Connection", value: "close" });
  if (!bodiless) all.push({ name: "Content-Length", value: `${body.length}` });
  const head = Buffer.concat([ascii(`HTTP/1.1 ${status} ${phraseOf(status)}\r\n`), fieldLines(all), ascii("\r\n")]);
  return [new Uint8Array(Buffer.concat([head, bodiless ? new Uint8Array(0) : body])), head.length];
}

/** The built-in answer for `status`: a small page that says in a sentence what happened. `fields` as in buildAnswer. */
export function builtInAnswer(status: number, fields: readonly NamedField[] = []): Answer {
  const title = `${status} ${phraseOf(status)}`.trim();
  const page =
    `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>${title}</title>\n` +
    `<h1>${title}</h1>\n<p>${SENTENCES[status] ?? ""}</p>\n</html>\n`;
  return buildAnswer(status, HTML, ascii(page), [{ name: "Cache-Control", value: "no-store" }, ...fields]);
}
