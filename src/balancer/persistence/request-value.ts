/** Recognising by a value that a request carries, which the sticky table remembers: a field, a parameter, a host, a cookie. */
import type { Span } from "../../protocols/http1/fields.ts";
import type { Client, HttpRequest } from "../client.ts";
import { Memory } from "./memory.ts";
import type { PersistenceSetting, Recogniser } from "./persistence.ts";

/** Finds the value in a request; `out` is a part of `request.bytes`. @returns whether there is one, not empty. */
export type FindValue = (request: HttpRequest, out: Span) => boolean;

/** `kind`: position in RECOGNISED_BY. The value is a client's word: it decides where a client lands and nothing else. */
export function byRequestValue(setting: PersistenceSetting, kind: number, find: FindValue): Recogniser {
  const memory = new Memory(setting, kind);
  const span: Span = { at: 0, end: 0 };
  const isThere = ({ request }: Client) => request !== null && find(request, span) && span.end > span.at;
  return {
    recognise(client, nowSec) {
      return isThere(client) ? memory.find(client.request!.bytes, span.at, span.end, nowSec) : 0;
    },
    remember(client, server, nowSec) {
      if (isThere(client)) memory.remember(client.request!.bytes, span.at, span.end, server, nowSec);
    },
    touch(client, nowSec) {
      if (isThere(client)) memory.touch(client.request!.bytes, span.at, span.end, nowSec);
    },
    forget(client) {
      if (isThere(client)) memory.forget(client.request!.bytes, span.at, span.end);
    },
  };
}
