/** How states look: always the word, with its shape where the terminal has it, and its colour. */
import type { ServerStateName, ServiceState } from "../balancer/control/balancer.ts";
import type { Style, Terminal } from "./terminal.ts";

type State = ServerStateName | ServiceState | "connected" | "disconnected";

const LOOKS: Readonly<Record<State, readonly [glyph: string, style: Style]>> = {
  up: ["●", "blue"],
  starting: ["◌", "cyan"],
  full: ["▲", "amber"],
  overloaded: ["▲", "amber"],
  ejected: ["▲", "amber"],
  degraded: ["▲", "amber"],
  draining: ["◐", "purple"],
  maintenance: ["■", "grey"],
  unknown: ["?", "grey"],
  down: ["✕", "red"],
  connected: ["●", "blue"],
  disconnected: ["○", "grey"],
};

/** "● up", or "up" where there is no ●. */
export const stateText = (state: State, glyphs: boolean) => (glyphs ? `${LOOKS[state][0]} ${state}` : state);
export const stateStyle = (state: State): Style => LOOKS[state][1];

/** The sign in front of something that needs attention. */
export function severitySign(severity: "error" | "warning", { glyphs }: Pick<Terminal, "glyphs">): string {
  if (glyphs) return severity === "error" ? "✕ " : "▲ ";
  return severity === "error" ? "error: " : "warning: ";
}
