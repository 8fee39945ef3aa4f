/** `holdfast status`: services, pools, servers and what needs attention. */
import { type Command, Option } from "commander";
import type { StatusReport } from "../balancer/control/balancer.ts";
import { action, type ClientOptions, clientOf, command, durationOption, withClientOptions } from "./command.ts";
import { Exit } from "./exit.ts";
import { lineText } from "./line.ts";
import { statusLines } from "./status-text.ts";
import type { Terminal } from "./terminal.ts";
import { watchChanges, watchJson } from "./watch-lines.ts";
import { watchScreen } from "./watch-screen.ts";

const EVERY_MS = 1_000;
const FAIL_ON = ["degraded", "down"] as const;
type FailOn = (typeof FAIL_ON)[number];

interface StatusOptions extends ClientOptions {
  json?: true;
  watch?: true;
  every?: number;
  failOn?: FailOn;
}

export function statusCommand(): Command {
  const base = command("status", "services, pools, servers and what needs attention", [
    "holdfast status --watch                  redrawn every second",
    "holdfast status --json | jq .ownSession  for programs",
  ])
    .option("--watch", "go on; into a pipe: a line for each change, with --json an object each time")
    .option("--every <duration>", "how often --watch looks (default: 1s)", durationOption)
    .option("--json", "everything, as JSON")
    .addOption(
      new Option("--fail-on <state>", "exit with 1 if a service is degraded (or worse), or down").choices(FAIL_ON),
    );
  return action(withClientOptions(base), async (terminal, options: StatusOptions) => {
    const client = clientOf(options);
    const status = await client.status();
    if (options.watch === true) {
      const source = { read: () => client.status(), everyMs: Math.max(100, options.every ?? EVERY_MS) };
      if (options.json === true) return watchJson(terminal, status, source);
      return terminal.stdout.isTerminal
        ? watchScreen(terminal, status, source)
        : watchChanges(terminal, status, source);
    }
    terminal.stdout.write(options.json === true ? `${JSON.stringify(status)}\n` : statusText(terminal, status));
    return options.failOn !== undefined && fails(status, options.failOn) ? Exit.NO : Exit.DONE;
  });
}

function statusText(terminal: Terminal, status: StatusReport): string {
  const width = terminal.stdout.width();
  const now = Date.parse(status.at); // ages and times are those of the report
  const lines = statusLines(status, { width, now, glyphs: terminal.glyphs });
  return lines.map((line) => `${lineText(terminal.stdout, line, width)}\n`).join("");
}

function fails(status: StatusReport, on: FailOn): boolean {
  return status.services.some(({ state }) => state === "down" || (on === "degraded" && state === "degraded"));
}
