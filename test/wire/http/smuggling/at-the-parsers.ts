/** A case at the parsers alone: what a connection would pass on, in whatever pieces it comes. */
import { ChunkedReader } from "../../../../src/protocols/http1/chunked.ts";
import { statusOf } from "../../../../src/protocols/http1/reasons.ts";
import {
  CHUNKED,
  type HeadLimits,
  Method,
  RequestHead,
  readRequestHead,
} from "../../../../src/protocols/http1/request.ts";
import { endHead, type RequestFacts, RequestRules, writeRequestHead } from "../../../../src/protocols/http1/write.ts";
import { show, text } from "../../../protocols/bytes.ts";
import type { SmugglingCase } from "./case.ts";

export const LIMITS: HeadLimits = { head: 16_384, target: 8192, fields: 100 };
const RULES = new RequestRules({ set: [], remove: [], forwarded: { mode: "off", standard: false } });
const FACTS: RequestFacts = {
  source: new Uint8Array(16),
  peer: new Uint8Array(16),
  trusted: false,
  secure: false,
  port: 80,
  requestId: new Uint8Array(0),
  requestIdLength: 0,
  fallbackHost: text("server"),
  close: false,
  hidden: { at: 0, end: 0 },
};

/** Serves `sent` as a connection does, `step` bytes at a time: whole requests as a server gets them, and how it ends. */
export function serve(sent: string, step = sent.length): Pick<SmugglingCase, "requests" | "end"> {
  const bytes = text(sent);
  const head = new RequestHead();
  const reader = new ChunkedReader();
  const into = new Uint8Array(32_768);
  const requests: string[] = [];
  let at = 0; // of the next head
  let have = 0;
  for (;;) {
    const used = readRequestHead(bytes, at, have, LIMITS, head);
    if (used < 0) return { requests, end: statusOf(used) };
    if (used === 0) {
      if (have === bytes.length) return { requests, end: show(bytes, at).trim() === "" ? "open" : "waiting" };
      have = Math.min(bytes.length, have + step);
      continue;
    }
    if (head.method === Method.CONNECT) return { requests, end: 405 };
    let request = show(into, 0, endHead(into, writeRequestHead(bytes, head, RULES, FACTS, into, 0)));
    at += used;
    if (head.body === CHUNKED) {
      reader.begin(false);
      while (!reader.done) {
        if (at === have && have === bytes.length) return { requests, end: "waiting" };
        have = Math.max(have, Math.min(bytes.length, at + step));
        const piece = bytes.slice(at, have);
        const taken = reader.read(piece, 0, piece.length);
        if (taken < 0) return { requests, end: "cut" };
        request += show(piece, 0, reader.end);
        at += taken;
      }
      request += show(reader.tail);
    } else {
      if (at + head.body > bytes.length) return { requests, end: "waiting" };
      request += show(bytes, at, at + head.body);
      at += head.body;
    }
    have = Math.max(have, at);
    requests.push(request);
    if (head.close) return { requests, end: "closed" };
  }
}
