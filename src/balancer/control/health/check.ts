/** What a kind of health check is. A kind has no I/O: it says what to ask and judges the answer; `probe.ts` does the rest. */
import type { HealthCheck } from "../../../config/schema.ts";
import type { Question } from "../../../deadlines/ask.ts";

export type { HealthCheck };
export type HealthCheckName = HealthCheck["check"];
/** The settings of one kind. */
export type SettingsOf<N extends HealthCheckName> = Extract<HealthCheck, { check: N }>;

/** The server that is checked. */
export interface Target {
  readonly pool: string;
  readonly server: string;
  /** Address or name, without brackets. */
  readonly host: string;
  /** The server's own port, or for a kind: the port to check. */
  readonly port: number;
  /** The PROXY header that the server expects first on its own port. Default: none. */
  readonly proxyProtocol?: "off" | "v1" | "v2";
}

/** Is it alive, and what was seen: "HTTP 503", "answered". */
export interface Verdict {
  readonly alive: boolean;
  readonly reason: string;
}

/** A program to run. Exit code 0 is alive. */
export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** One kind of check: bytes asked over a socket, or a program that is run. */
export type CheckKind<N extends HealthCheckName = HealthCheckName> = { readonly name: N } & (
  | { ask(settings: SettingsOf<N>, target: Target): Question<Verdict> }
  | { command(settings: SettingsOf<N>, target: Target): Command }
);

/** Declares a kind with its settings' type. */
export function check<N extends HealthCheckName>(kind: CheckKind<N>): CheckKind<N> {
  return kind;
}
