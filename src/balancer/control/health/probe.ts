/** One check of one server, from the settings to the verdict. */

import { type Answer, ask, type Question } from "../../../deadlines/ask.ts";
import { type Ended, run } from "../../../deadlines/run.ts";
import type { Timing } from "../../../deadlines/timing.ts";
import { PROXY_V1_UNKNOWN, PROXY_V2_LOCAL } from "../../../protocols/proxy.ts";
import type { CheckKind, HealthCheck, Target, Verdict } from "./check.ts";
import { CHECK_KINDS } from "./index.ts";

/** A check under way. `done` never rejects. */
export interface Probe {
  readonly done: Promise<Verdict>;
  cancel(): void;
}

/** Checks `server` once, on its own port or the one that the settings name; decided within `settings.timeout`, and nothing of it goes on after that. */
export function probe(settings: HealthCheck, server: Target, timing: Timing): Probe {
  const port = "port" in settings ? settings.port : undefined;
  const target: Target = port === undefined ? server : { ...server, port, proxyProtocol: "off" };
  // The kind was chosen by the settings' own word: they fit.
  const kind = CHECK_KINDS[settings.check] as CheckKind;
  const own = settings as never;
  if ("ask" in kind) {
    const question = behindHeader(kind.ask(own, target), target);
    const pending = ask(target.host, target.port, question, settings.timeout, timing);
    return { done: pending.done.then(verdictOf), cancel: pending.cancel };
  }
  const { argv, env } = kind.command(own, target);
  const pending = run(argv, env, settings.timeout, timing);
  return { done: pending.done.then((answer) => verdictOf(judgeEnd(answer))), cancel: pending.cancel };
}

/** Where clients come behind a PROXY header, a check comes behind one that says: the balancer itself. */
function behindHeader(question: Question<Verdict>, { proxyProtocol = "off" }: Target): Question<Verdict> {
  if (proxyProtocol === "off") return question;
  const header = proxyProtocol === "v1" ? PROXY_V1_UNKNOWN : PROXY_V2_LOCAL;
  if (question.tls !== undefined) return { ...question, tls: { ...question.tls, before: header } };
  return { ...question, send: new Uint8Array([...header, ...question.send]) };
}

function verdictOf(answer: Answer<Verdict>): Verdict {
  return "failure" in answer ? { alive: false, reason: answer.failure } : answer.value;
}

function judgeEnd(answer: Answer<Ended>): Answer<Verdict> {
  if ("failure" in answer) return answer;
  const { code, signal, lastLine } = answer.value;
  const how = signal === undefined ? `exit code ${code}` : `ended by ${signal}`;
  return { value: { alive: code === 0, reason: lastLine === "" ? how : `${how}: ${lastLine}` } };
}
