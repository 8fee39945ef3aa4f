/** `holdfast sessions list | end`: whose session is where, and ending some. */
import { type Command, Option } from "commander";
import type { ApiClient } from "../api/client.ts";
import type { Session, SessionFilter, SessionSelector } from "../balancer/control/balancer.ts";
import { printable } from "../config/problem.ts";
import { HoldfastError } from "../errors.ts";
import { action, ask, type ClientOptions, clientOf, command, serverArgument, withClientOptions } from "./command.ts";
import { Exit } from "./exit.ts";
import { plural, sinceText } from "./figures.ts";
import { cell, fitting, type Line, tableText } from "./line.ts";
import { stateStyle, stateText } from "./state.ts";
import type { Terminal } from "./terminal.ts";

const PAGE = 1_000;
// Columns that are left out first.
const SINCE = 3;
const FROM = 4;

interface SelectOptions extends ClientOptions {
  user?: string;
  pool?: string;
  server?: { pool: string; server: string };
  json?: true;
}

export function sessionsCommand(): Command {
  return command("sessions", "whose session is where; ending some", [
    "holdfast sessions list --user alice      where is alice?",
    "holdfast sessions end --user alice       end her connections",
  ])
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(endCommand());
}

function listCommand(): Command {
  const base = withSelection(
    command("sessions list", "list sessions", [
      "holdfast sessions list                            all of them",
      "holdfast sessions list --server rds/rds2          on one server",
    ]),
  )
    .addOption(new Option("--state <state>", "only these").choices(["connected", "disconnected"]))
    .option("--json", "one object a line");
  return action(withClientOptions(base), async (terminal, options: SelectOptions & { state?: Session["state"] }) => {
    const { id: _, ...selector } = selectorOf(options);
    const filter = { ...selector, ...(options.state === undefined ? {} : { state: options.state }) };
    const sessions = await allSessions(clientOf(options), filter);
    if (options.json === true) {
      for (const session of sessions) terminal.stdout.write(`${JSON.stringify(session)}\n`);
    } else if (sessions.length === 0) {
      terminal.stdout.write("No sessions. They appear as soon as a client is connected: holdfast status\n");
    } else {
      terminal.stdout.write(sessionTable(terminal, sessions, Date.now()));
    }
    return Exit.DONE;
  });
}

function endCommand(): Command {
  const base = withSelection(
    command("sessions end", "end the connections of sessions", [
      "holdfast sessions end --user alice                of one user",
      "holdfast sessions end --server rds/rds2 --yes     of one server, without being asked",
    ]),
  )
    .option("--id <id>", "one session")
    .option("--yes", "do not ask");
  return action(withClientOptions(base), async (terminal, options: SelectOptions & { id?: string; yes?: true }) => {
    const selector = selectorOf(options);
    if (Object.keys(selector).length === 0) {
      throw new HoldfastError("cli/usage", "say which: --id, --user, --pool or --server", {
        hint: "holdfast sessions list shows them",
      });
    }
    const client = clientOf(options);
    if (options.yes !== true) {
      const { ended } = await client.endSessions(selector, true);
      if (!terminal.canAsk) {
        throw new HoldfastError(
          "cli/usage",
          `${plural(ended, "session")} would be ended, and nobody can be asked here`,
          {
            hint: "repeat the command with --yes",
          },
        );
      }
      if (!(await ask(terminal, `End ${plural(ended, "session")}?`))) {
        terminal.stderr.write("Nothing was ended.\n");
        return Exit.NO;
      }
    }
    const { ended } = await client.endSessions(selector, false);
    terminal.stdout.write(`${plural(ended, "session")} ended.\n`);
    return Exit.DONE;
  });
}

function withSelection(base: Command): Command {
  return base
    .option("--user <name>", "of one user")
    .option("--pool <pool>", "in one pool")
    .option("--server <pool/server>", "on one server", serverArgument);
}

function selectorOf(options: SelectOptions & { id?: string }): SessionSelector {
  return {
    ...(options.id === undefined ? {} : { id: options.id }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.pool === undefined ? {} : { pool: options.pool }),
    ...options.server,
  };
}

async function allSessions(client: ApiClient, filter: Omit<SessionFilter, "limit">): Promise<Session[]> {
  const sessions: Session[] = [];
  let cursor: string | null = null;
  do {
    const page = await client.sessions({ ...filter, limit: PAGE, ...(cursor === null ? {} : { cursor }) });
    sessions.push(...page.items);
    cursor = page.next;
  } while (cursor !== null);
  return sessions;
}

/** Without a terminal nothing is left out; on one, the columns that fit. */
function sessionTable({ stdout, glyphs }: Terminal, sessions: readonly Session[], now: number): string {
  const header = ["USER", "STATE", "SERVER", "SINCE", "FROM", "RECOGNISED BY", "ID"].map((text) => cell(text));
  const rows = sessions.map((session): Line => {
    const ago = session.state === "disconnected" ? ` ${sinceText(session.lastSeen, now)}` : "";
    return [
      cell(session.user === "" ? "-" : printable(session.user)),
      cell(stateText(session.state, glyphs) + ago, stateStyle(session.state)),
      cell(`${session.pool}/${session.server}`),
      cell(sinceText(session.since, now)),
      cell(session.from),
      cell(session.recognisedBy),
      cell(session.id),
    ];
  });
  const table = [header, ...rows];
  const width = stdout.isTerminal ? stdout.width() : Number.POSITIVE_INFINITY;
  const choices = [[], [SINCE], [SINCE, FROM]].map((left) =>
    table.map((row) => row.filter((_, i) => !left.includes(i))),
  );
  return tableText(stdout, fitting(choices, width), width);
}
