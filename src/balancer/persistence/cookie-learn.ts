/** `mode: learn`: the sticky table remembers on which server the value of the server's own cookie was set. */
import { findCookie, findSetCookie, type SetCookie } from "../../protocols/http1/cookies.ts";
import { Recognised } from "../shared/words.ts";
import { Memory } from "./memory.ts";
import type { PersistenceSetting, Recogniser } from "./persistence.ts";
import { byRequestValue } from "./request-value.ts";

export function learnedCookie(setting: PersistenceSetting): Recogniser {
  const name = new TextEncoder().encode(setting.plan.name);
  const memory = new Memory(setting, Recognised.COOKIE);
  const set: SetCookie = { index: 0, valueAt: 0, valueEnd: 0 };
  const shown = byRequestValue(setting, Recognised.COOKIE, ({ bytes, head }, out) =>
    findCookie(bytes, head.fields, name, out),
  );
  return {
    ...shown,
    learn(_client, server, bytes, head, nowSec) {
      if (!findSetCookie(bytes, head.fields, name, set) || set.valueEnd === set.valueAt) return;
      memory.remember(bytes, set.valueAt, set.valueEnd, server.plan.id, nowSec);
    },
  };
}
