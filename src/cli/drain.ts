/** `holdfast drain`, `ready`, `maintenance`: what a person wants of a server. */
import type { Command } from "commander";
import type { AdministrativeAnswer } from "../api/schemas.ts";
import type { AdministrativeState } from "../balancer/control/balancer.ts";
import { HoldfastError } from "../errors.ts";
import {
  action,
  type ClientOptions,
  clientOf,
  command,
  durationOption,
  serverArgument,
  userName,
  withClientOptions,
} from "./command.ts";
import { waitUntilEmpty } from "./drain-wait.ts";
import { Exit } from "./exit.ts";
import { clockText, plural } from "./figures.ts";

interface ServerName {
  pool: string;
  server: string;
}

interface ChangeOptions extends ClientOptions {
  yes?: true;
  json?: true;
}

interface DrainOptions extends ChangeOptions {
  within?: number;
  wait?: true | number;
}

export function drainCommand(): Command {
  const base = changing("drain", "no new users; those it knows still reach it", [
    "holdfast drain rds/rds2 --wait             until it is empty and safe to stop",
    "holdfast drain rds/rds2 --within 10m       what is left in 10 minutes is ended",
  ])
    .option("--within <duration>", "end what is left after this time (default: nothing is ever ended)", durationOption)
    .option("--wait [duration]", "go on until it is empty, or for this long", durationOption);
  return action(base, async (terminal, name: ServerName, options: DrainOptions) => {
    const client = clientOf(options);
    const answer = await change(options, name, "drain");
    // With --json the answer alone goes to standard output; what is said while waiting is for people.
    const talk = options.json === true ? terminal.stderr : terminal.stdout;
    if (options.json === true) terminal.stdout.write(`${JSON.stringify(answer)}\n`);
    else talk.write(`${drainText(answer)}\n`);
    if (options.wait === undefined) {
      if (options.json !== true) talk.write(`Watch it: holdfast drain ${name.pool}/${name.server} --wait\n`);
      return Exit.DONE;
    }
    return waitUntilEmpty(talk, client, answer, typeof options.wait === "number" ? options.wait : undefined);
  });
}

export function readyCommand(): Command {
  const base = changing("ready", "back into service after drain or maintenance", [
    "holdfast ready rds/rds2          new users reach it again",
    "holdfast ready rds/rds2 --json   what it did, for programs",
  ]);
  return action(base, async (terminal, name: ServerName, options: ChangeOptions) => {
    const answer = await change(options, name, "ready");
    const text = `${name.pool}/${name.server} is back in service: as soon as its checks agree, new users reach it. See: holdfast status`;
    terminal.stdout.write(`${options.json === true ? JSON.stringify(answer) : text}\n`);
    return Exit.DONE;
  });
}

export function maintenanceCommand(): Command {
  const base = changing("maintenance", "nobody reaches it, not even users it knows", [
    "holdfast maintenance rds/rds2          known users get another server",
    "holdfast drain rds/rds2 --wait         gentler: first let them finish",
  ]);
  return action(base, async (terminal, name: ServerName, options: ChangeOptions) => {
    const answer = await change(options, name, "maintenance");
    terminal.stdout.write(`${options.json === true ? JSON.stringify(answer) : maintenanceText(answer)}\n`);
    return Exit.DONE;
  });
}

function changing(name: string, summary: string, examples: readonly [string, string]): Command {
  const base = command(name, summary, examples)
    .argument("<pool/server>", "the server", serverArgument)
    .option("--yes", "even if no other server is left for new users")
    .option("--json", "the answer as JSON");
  return withClientOptions(base);
}

function change(options: DrainOptions, name: ServerName, state: AdministrativeState): Promise<AdministrativeAnswer> {
  if (options.within !== undefined && options.within < 1_000) {
    throw new HoldfastError("cli/usage", "--within takes at least 1s");
  }
  return clientOf(options).setAdministrative(name.pool, name.server, {
    state,
    by: userName(process.env),
    ...(options.within === undefined ? {} : { withinMs: options.within }),
    ...(options.yes === undefined ? {} : { confirm: true }),
  });
}

/** What happens to new, known and disconnected users, and at the deadline. */
function drainText(answer: AdministrativeAnswer): string {
  const { pool, server, ends, at } = answer;
  const left = ends === null ? "nobody is ended" : `what is left at ${clockText(ends, Date.parse(at), true)} is ended`;
  return `${pool}/${server} is draining. ${newUsersText(answer)} Known users still reach ${server}; ${left}.`;
}

function maintenanceText(answer: AdministrativeAnswer): string {
  const { pool, server, stays } = answer;
  const open = stays.open === 0 ? "Nothing is open there." : `${plural(stays.open, "connection")} still open there.`;
  return `${pool}/${server} is in maintenance: nobody reaches it. ${newUsersText(answer)} ${open}\nBack into service: holdfast ready ${pool}/${server}`;
}

function newUsersText({ affected, pool }: AdministrativeAnswer): string {
  const to = affected.newUsersGoTo;
  if (to.length === 0) return `New users of ${pool} are refused: no other server takes them.`;
  const named = to.slice(0, 3).join(", ");
  return `New users go to ${named}${to.length > 3 ? ` and ${to.length - 3} more` : ""}.`;
}
