/** The kinds of agent. A new one is one more file here and one more line in the schema. */
import { number } from "./number.ts";
import type { AgentKind, AgentKindName } from "./reading.ts";
import { text } from "./text.ts";

export const AGENT_KINDS: { readonly [N in AgentKindName]: AgentKind<N> } = { number, text };
