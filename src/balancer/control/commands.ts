/** What people have the running balancer do: set servers aside, end sessions, forget clients, sign tokens. */
import type { Timing } from "../../deadlines/timing.ts";
import { bug } from "../../errors.ts";
import type { TokenKey } from "../../protocols/rdp/token.ts";
import { slotOf } from "../shared/server-id.ts";
import { EndCode } from "../shared/words.ts";
import type { EndSelector } from "../worker/messages.ts";
import { type Administrative, dueToEnd } from "./administrative.ts";
import type {
  AdministrativeResult,
  AdministrativeState,
  Balancer,
  ForgetResult,
  ForgetSelector,
  SessionSelector,
} from "./balancer.ts";
import type { Events } from "./events.ts";
import type { Forgetting } from "./forgetting.ts";
import type { Keeper } from "./keeper.ts";
import type { Neighbours } from "./neighbours.ts";
import type { RunningConfig } from "./running-config.ts";
import type { Servers } from "./servers.ts";
import type { Sessions } from "./sessions.ts";
import { signToken } from "./tokens.ts";
import type { Workers } from "./workers.ts";

export interface CommandsOptions {
  readonly running: RunningConfig;
  readonly servers: Servers;
  readonly administrative: Administrative;
  readonly sessions: Sessions;
  readonly forgetting: Forgetting;
  readonly keeper: Keeper;
  readonly workers: Workers;
  readonly neighbours: Neighbours;
  readonly events: Events;
  readonly timing: Timing;
  /** The first one signs. */
  readonly tokenKeys: readonly TokenKey[];
}

/** Each does what the method of its name in `Balancer` says. */
export class Commands implements Pick<Balancer, "setAdministrative" | "endSessions" | "forget" | "signToken"> {
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  setAdministrative(
    pool: string,
    server: string,
    state: AdministrativeState,
    { by, withinMs }: { by: string; withinMs?: number },
  ): AdministrativeResult {
    const { neighbours, timing, servers, events, sessions } = this.#options;
    neighbours.refuseWhenSuperseded();
    const name = `${pool}/${server}`;
    const nowMs = timing.wallClock();
    const untilMs = withinMs === undefined ? undefined : nowMs + withinMs;
    servers.setAdministrative(name, state, by, untilMs);
    events.tell("info", "server.set", `${by} set ${name} to ${state}`, { pool, server, state, by });
    return {
      pool,
      server,
      state,
      by,
      at: new Date(nowMs).toISOString(),
      ends: untilMs === undefined ? null : new Date(untilMs).toISOString(),
      stays: { open: servers.view(name)?.connections() ?? 0, ...sessions.directory.counts(pool, server) },
    };
  }

  /** Ends what is left of drains whose time is up, some before it so that not all go at once. About once a second. */
  endDrains(): void {
    const { administrative, servers, timing } = this.#options;
    const nowMs = timing.wallClock();
    for (const [name, { by, sinceMs, untilMs }] of [...administrative.ending()]) {
      const view = servers.view(name);
      if (view === undefined) continue;
      // Who is ended now would come straight back to it while it drains.
      if (nowMs >= untilMs) servers.setAdministrative(name, "maintenance", by, undefined);
      const most = dueToEnd(view.connections(), sinceMs, untilMs, nowMs);
      if (most > 0) void this.#end({ server: slotOf(view.id), most }, EndCode.drained);
    }
  }

  async endSessions(selector: SessionSelector): Promise<{ ended: number }> {
    let ended = 0;
    for (const [column, numbers] of this.#options.sessions.connectionsOf(selector)) {
      ended += await this.#end({ numbers, column }, EndCode["ended-by-admin"]);
    }
    return { ended };
  }

  /** Ends connections here and in the process before. @returns how many. */
  async #end(which: EndSelector, end: number): Promise<number> {
    const { workers, neighbours } = this.#options;
    const here = await workers.end(which, end);
    const left = which.most === undefined ? which : { ...which, most: which.most - here };
    const { predecessor } = neighbours;
    if (predecessor === null || left.most === 0) return here;
    return here + (await predecessor.end(left, end));
  }

  forget(pool: string, selector: ForgetSelector, { by, dryRun }: { by: string; dryRun: boolean }): ForgetResult {
    const { neighbours, running, forgetting, events, keeper } = this.#options;
    neighbours.refuseWhenSuperseded();
    const of = running.config.pools[pool] ?? bug(`pool ${pool}, which is not there, is to forget somebody`);
    const result = forgetting.forget(of, selector, this.#nowSec(), dryRun);
    if (dryRun) return result;
    const { forgotten } = result;
    const what = selector.share === undefined ? "a client" : `${percentOf(selector.share)} of its clients`;
    // Whom is not said: a log is no place for the cookie that stands for somebody.
    events.tell("info", "clients.forgotten", `${by} had ${pool} forget ${what}`, { pool, by, forgotten });
    void keeper.save();
    return result;
  }

  signToken(pool: string, server: string, { lifetimeMs }: { lifetimeMs?: number }): { token: string } {
    const { running, tokenKeys } = this.#options;
    const of = running.config.pools[pool] ?? bug(`a token is asked of pool ${pool}, which is not there`);
    return { token: signToken(tokenKeys[0]!, of, server, this.#nowSec(), lifetimeMs) };
  }

  #nowSec(): number {
    return Math.floor(this.#options.timing.wallClock() / 1000);
  }
}

/** `20 %`, as people read it. */
function percentOf(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`;
}
