import type { Answer } from "../../../deadlines/ask.ts";
import {
  LOAD_DISABLED,
  LOAD_DOWN,
  LOAD_REASONS,
  newLoadNumber,
  readLoadNumber,
} from "../../../protocols/agent/number.ts";
import { NEED_MORE, reasonName } from "../../../protocols/result.ts";
import { buildGet, MAX_ANSWER, readHttpAnswer } from "../health/http-answer.ts";
import type { AgentKind, AgentReading } from "./reading.ts";

/** A number over HTTP. It says everything at once: a load also takes back an earlier "down" or "disabled". */
export const number: AgentKind<"number"> = {
  name: "number",
  ask: ({ path, port }, host) => ({ send: buildGet(path, host, port, 80), limit: MAX_ANSWER, judge }),
};

function judge(bytes: Uint8Array, ended: boolean): Answer<AgentReading> | undefined {
  const answer = readHttpAnswer(bytes, ended);
  if (answer === undefined) return undefined;
  if (typeof answer === "string") return { failure: answer };
  if (answer.status !== 200) return { failure: `HTTP ${answer.status}` };
  const out = newLoadNumber();
  const used = readLoadNumber(answer.body, 0, answer.body.length, answer.whole, out);
  if (used === NEED_MORE) return undefined;
  if (used < 0) return { failure: `answer is no load (${reasonName(LOAD_REASONS, used)})` };
  return { value: meaningOf(out.load) };
}

function meaningOf(load: number): AgentReading {
  if (load === LOAD_DOWN) return { admin: "ready", health: "down" };
  if (load === LOAD_DISABLED) return { admin: "maint", health: "up" };
  return { load, admin: "ready", health: "up" };
}
