/** What a server's agent said, in one form for both protocols, and what a kind of agent is. */
import type { AgentCheck } from "../../../config/schema.ts";
import type { Answer, Question } from "../../../deadlines/ask.ts";
import type { AgentAdmin, AgentHealth } from "../../../protocols/agent/text.ts";

export type { AgentCheck };
export type AgentKindName = AgentCheck["kind"];
export type AgentSettings<N extends AgentKindName> = Extract<AgentCheck, { kind: N }>;

/** One answer. What is absent changes nothing. */
export interface AgentReading {
  /** 0 idle to 100; 99 and 100: no new clients. */
  readonly load?: number;
  /** Of the configured weight; may be above 100. 0: no new clients. */
  readonly weightPercent?: number;
  /** Absolute, 0-256; replaces a percentage that was said before. */
  readonly weight?: number;
  /** Limit of connections; 0 is none. */
  readonly maxconn?: number;
  readonly admin?: AgentAdmin;
  readonly health?: AgentHealth;
  /** In the agent's words. */
  readonly reason?: string;
  /** Words that mean nothing here; the others count. */
  readonly unknown?: readonly string[];
}

/** One kind of agent: what it is asked, and what its answer means. No I/O. An answer that cannot be read is a failure. */
export interface AgentKind<N extends AgentKindName> {
  readonly name: N;
  ask(settings: AgentSettings<N>, host: string): Question<Answer<AgentReading>>;
}
