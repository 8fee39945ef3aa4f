import type { Answer } from "../../../deadlines/ask.ts";
import { AGENT_REASONS, MAX_AGENT_LINE, newAgentReport, readAgentText } from "../../../protocols/agent/text.ts";
import { NEED_MORE, reasonName } from "../../../protocols/result.ts";
import type { AgentKind, AgentReading } from "./reading.ts";

/** A line of words over TCP. Each word changes its own part and leaves the others. */
export const text: AgentKind<"text"> = {
  name: "text",
  ask: ({ send }) => ({ send: Buffer.from(send ?? ""), limit: MAX_AGENT_LINE, judge }),
};

function judge(bytes: Uint8Array, ended: boolean): Answer<AgentReading> | undefined {
  if (bytes.length === 0) return undefined; // the failure is "closed without an answer"
  const out = newAgentReport();
  const used = readAgentText(bytes, 0, bytes.length, ended, out);
  if (used === NEED_MORE) return undefined;
  if (used < 0) return { failure: `answer is ${reasonName(AGENT_REASONS, used)}` };
  return {
    value: {
      ...(out.admin !== undefined && { admin: out.admin }),
      ...(out.weight !== undefined && { weight: out.weight }),
      ...(out.percent !== undefined && { weightPercent: out.percent }),
      ...(out.maxconn !== undefined && { maxconn: out.maxconn }),
      ...(out.health !== undefined && { health: out.health }),
      ...(out.reason !== "" && { reason: out.reason }),
      ...(out.unknown.length > 0 && { unknown: out.unknown }),
    },
  };
}
