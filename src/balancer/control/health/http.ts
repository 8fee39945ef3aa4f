import type { Question } from "../../../deadlines/ask.ts";
import { type CheckKind, check, type SettingsOf, type Target, type Verdict } from "./check.ts";
import { buildGet, MAX_ANSWER, readHttpAnswer } from "./http-answer.ts";

/** Alive: a GET is answered with an expected status and, if one is expected, the body has the text. Redirects are answers. */
export const http: CheckKind<"http"> = check({
  name: "http",
  ask: (settings, target) => askOverHttp(settings, target, 80),
});

/** The question that `http` and `https` have in common. `usualPort` is not named in the Host header. */
export function askOverHttp(
  { path, host, expect }: Pick<SettingsOf<"http">, "path" | "host" | "expect">,
  target: Target,
  usualPort: number,
): Question<Verdict> {
  return {
    // A host that was asked for is sent as it was written.
    send: buildGet(path, host ?? target.host, host === undefined ? target.port : usualPort, usualPort),
    limit: MAX_ANSWER,
    judge: (bytes, ended) => judge(bytes, ended, expect),
  };
}

function judge(bytes: Uint8Array, ended: boolean, expect: SettingsOf<"http">["expect"]): Verdict | undefined {
  const answer = readHttpAnswer(bytes, ended);
  if (answer === undefined) return undefined;
  if (typeof answer === "string") return { alive: false, reason: answer };
  const seen = `HTTP ${answer.status}`;
  const good = expect.status.some(({ from, to }) => answer.status >= from && answer.status <= to);
  if (!good) return { alive: false, reason: seen };
  if (expect.body === undefined || Buffer.from(answer.body).includes(expect.body)) return { alive: true, reason: seen };
  return answer.whole ? { alive: false, reason: `${seen}, but the body lacks "${expect.body}"` } : undefined;
}
