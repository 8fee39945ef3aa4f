/** `holdfast forget`: a client, or a share of a pool's clients, is new with the next connection or request. */
import { type Command, InvalidArgumentError } from "commander";
import type { ForgetResult, ForgetSelector } from "../balancer/control/balancer.ts";
import { HoldfastError } from "../errors.ts";
import { action, ask, type ClientOptions, clientOf, command, userName, withClientOptions } from "./command.ts";
import { Exit } from "./exit.ts";
import { percentText, plural } from "./figures.ts";

interface ForgetOptions extends ClientOptions, ForgetSelector {
  dryRun?: true;
  yes?: true;
}

/** One client by what the pool knows it by. */
const WHOM = ["user", "source", "cookie", "header", "query", "host"] as const;

export function forgetCommand(): Command {
  const base = command("forget", "forget on which server a client belongs, or a share of a pool's", [
    "holdfast forget rds --user alice            she gets any server the next time",
    "holdfast forget web --share 20% --yes       a fifth of the clients, for a server that has come back",
  ])
    .argument("<pool>", "the pool that knows them")
    .option("--user <name>", "who logs in by this name")
    .option("--source <address>", "who comes from this address")
    .option("--cookie <value>", "who has this sticky cookie")
    .option("--header <value>", "who sends this value of the pool's header")
    .option("--query <value>", "who sends this value of the pool's parameter")
    .option("--host <name>", "who asks for this host")
    .option("--share <share>", "so many of all: 20%", shareOption)
    .option("--dry-run", "only say how many")
    .option("--yes", "do not ask")
    .addHelpText("after", "\nLive connections go on. Who is forgotten twice in a row is somebody else each time.");
  return action(withClientOptions(base), async (terminal, pool: string, options: ForgetOptions) => {
    const selector = selectorOf(options);
    const client = clientOf(options);
    const by = userName(process.env);
    if (options.dryRun === true) {
      terminal.stdout.write(
        `${wording(await client.forget(pool, selector, { by, dryRun: true }))} would be forgotten.\n`,
      );
      return Exit.DONE;
    }
    if (selector.share !== undefined && options.yes !== true) {
      const whom = wording(await client.forget(pool, selector, { by, dryRun: true }));
      if (!terminal.canAsk) {
        throw new HoldfastError("cli/usage", `${whom} would be forgotten, and nobody can be asked here`, {
          hint: "repeat the command with --yes",
        });
      }
      if (!(await ask(terminal, `Forget ${whom}?`))) {
        terminal.stderr.write("Nobody was forgotten.\n");
        return Exit.NO;
      }
    }
    const result = await client.forget(pool, selector, { by, dryRun: false });
    if (result.forgotten === 0 && result.shareOfCookies === undefined) {
      terminal.stderr.write(`Pool ${pool} knew nobody by that.\n`);
      return Exit.NO;
    }
    terminal.stdout.write(`${wording(result)} forgotten. Live connections go on.\n`);
    return Exit.DONE;
  });
}

function selectorOf(options: ForgetOptions): ForgetSelector {
  const given = [...WHOM, "share" as const].filter((key) => options[key] !== undefined);
  if (given.length === 1) return { [given[0]!]: options[given[0]!] };
  const flags = [...WHOM, "share"].map((key) => `--${key}`).join(", ");
  throw new HoldfastError("cli/usage", `say whom, by one of ${flags}`, { hint: "holdfast forget --help" });
}

/** What is known of how many: `39 clients`, `20 % of all cookies`. */
function wording({ forgotten, shareOfCookies }: ForgetResult): string {
  const entries = plural(forgotten, "client");
  if (shareOfCookies === undefined) return entries;
  const cookies = `${percentText(shareOfCookies)} of all cookies`;
  return forgotten === 0 ? cookies : `${entries} and ${cookies}`;
}

/** `20%` as 0.2. */
function shareOption(text: string): number {
  const percent = /^(\d{1,3}(?:\.\d+)?) ?%$/.exec(text)?.[1];
  const share = Number(percent) / 100;
  if (share > 0 && share <= 1) return share;
  throw new InvalidArgumentError(`\`${text}\` is not a share. Write \`20%\`.`);
}
