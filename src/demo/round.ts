/**
 * The script of the demo: everyone comes, leaves and comes back, a server is killed, everyone comes back again. What is told
 * of it was seen: who answered, whether the server had the session, and how the balancer's log says they were recognised.
 */
import { setTimeout } from "node:timers/promises";
import type { Addresses, DemoBalancer } from "./balancer.ts";
import type { SampleServer } from "./children.ts";
import { comingOf, PEOPLE, type Person, type Place } from "./people.ts";
import { Visit, VisitFailed } from "./visit.ts";

/** Between two clients, so that an eye can follow. */
const PACE_MS = 80;
/** Everyone is away for this long, at least. */
const AWAY_MS = 800;
const KILLED = "rds3";

/** Someone came back. */
export interface Return {
  readonly user: string;
  readonly wasOn: string;
  readonly awayMs: number;
  readonly from: string;
  /** Undefined: nowhere. */
  readonly landedOn: string | undefined;
  readonly recognisedBy: string;
  /**
   * `own`: the server had their session. `killed`: it could not, the demo had killed it. `lost`: they could have had it.
   */
  readonly result: "own" | "killed" | "lost";
  /** Why `lost`, in a few words. */
  readonly why: string;
}

/** What the script tells while it goes on. */
export interface Teller {
  say(sentence: string): void;
  returned(row: Return): void;
}

export interface Stage {
  readonly balancer: DemoBalancer;
  readonly addresses: Addresses;
  readonly servers: readonly SampleServer[];
  /** Ends everything at any time. */
  readonly signal: AbortSignal;
  readonly teller: Teller;
}

/** A person with a session. */
interface Someone {
  readonly person: Person;
  /** The server of their session. */
  home: SampleServer;
  rdpFile: string | undefined;
  leftAtMs: number;
}

export class Round {
  readonly #stage: Stage;
  readonly #everyone: Someone[] = [];
  readonly #killed = new Set<string>();
  readonly returns: Return[] = [];

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** The whole script. */
  async play(): Promise<void> {
    await this.#firstComing();
    await this.#pause(AWAY_MS);
    await this.#comeBack([...this.#everyone].reverse(), "home");
    await this.#kill(KILLED);
    await this.#pause(AWAY_MS);
    await this.#comeBack(this.#everyone, "office");
  }

  /** Everyone comes once more and stays. `onEnd` is told whose connection ends. */
  async stay(onEnd: (user: string, server: string) => void): Promise<void> {
    for (const someone of this.#everyone) {
      const visit = await this.#visit(someone, "office");
      const { signal } = this.#stage;
      void visit.ended.then(() => signal.aborted || onEnd(someone.person.name, visit.server));
    }
  }

  async #firstComing(): Promise<void> {
    const visits: Visit[] = [];
    for (const person of PEOPLE) {
      const visit = await this.#visit({ person }, "office");
      visits.push(visit);
      this.#everyone.push({ person, home: this.#serverOf(visit), rdpFile: undefined, leftAtMs: 0 });
    }
    const on = (server: SampleServer) =>
      `${server.name} ${visits.filter((visit) => visit.server === server.name).length}`;
    const { servers, teller } = this.#stage;
    teller.say(`${visits.length} clients are there: ${servers.map(on).join(", ")}.`);
    for (const someone of this.#everyone) someone.rdpFile = await this.#rdpFileFor(someone);
    await Promise.all(visits.map((visit, nth) => this.#leave(visit, this.#everyone[nth]!)));
    teller.say("All have left. They come back in another order, most from another address:");
  }

  /** What an administrator would hand out, from `holdfast token`. */
  async #rdpFileFor({ person, home }: Someone): Promise<string | undefined> {
    if (person.habit !== "rdp-file") return undefined;
    return (await this.#stage.balancer.api.signToken({ pool: "rds", server: home.name })).token;
  }

  async #comeBack(order: readonly Someone[], place: Place): Promise<void> {
    for (const someone of order) {
      await this.#pause(PACE_MS);
      const row = await this.#return(someone, place);
      this.returns.push(row);
      this.#stage.teller.returned(row);
    }
  }

  async #return(someone: Someone, place: Place): Promise<Return> {
    const { home, person, leftAtMs } = someone;
    const { balancer } = this.#stage;
    const common = { user: person.name, wasOn: home.name, awayMs: performance.now() - leftAtMs };
    let visit: Visit;
    try {
      visit = await this.#visit(someone, place);
    } catch (error) {
      if (!(error instanceof VisitFailed) || this.#stage.signal.aborted) throw error;
      const result = this.#killed.has(home.name) ? "killed" : "lost";
      const { from } = this.#coming(someone, place);
      return { ...common, from, landedOn: undefined, recognisedBy: "", result, why: error.message };
    }
    const recognised = balancer.recognisedBy(visit.client);
    await this.#leave(visit, someone);
    const own = visit.server === home.name && visit.reconnected !== false;
    if (!own) {
      someone.home = this.#serverOf(visit);
      someone.rdpFile = await this.#rdpFileFor(someone);
    }
    return {
      ...common,
      from: visit.client.slice(0, visit.client.lastIndexOf(":")),
      landedOn: visit.server,
      recognisedBy: await recognised,
      result: own ? "own" : this.#killed.has(home.name) ? "killed" : "lost",
      why: own ? "" : "another server",
    };
  }

  async #kill(name: string): Promise<void> {
    const { balancer, servers, teller } = this.#stage;
    const server = servers.find((one) => one.name === name)!;
    const seen = balancer.seesDown(name);
    const began = performance.now();
    this.#killed.add(name);
    await server.process.kill();
    await seen;
    const ms = Math.round(performance.now() - began);
    teller.say(`${name} is killed (process ${server.process.pid}), seen after ${ms} ms. All come back:`);
  }

  #coming({ person, home, rdpFile }: Pick<Someone, "person"> & Partial<Someone>, place: Place) {
    const { desktops, tills } = this.#stage.addresses;
    return comingOf(person, place, { server: home, rdpFile }, person.habit === "till" ? tills : desktops);
  }

  #visit(someone: Pick<Someone, "person"> & Partial<Someone>, place: Place): Promise<Visit> {
    return Visit.begin(this.#coming(someone, place), this.#stage.signal);
  }

  async #leave(visit: Visit, someone: Someone): Promise<void> {
    await visit.leave();
    someone.leftAtMs = performance.now();
  }

  #serverOf(visit: Visit): SampleServer {
    const server = this.#stage.servers.find(({ name }) => name === visit.server);
    if (server === undefined) throw new VisitFailed(`an unknown server answered: ${visit.server}`);
    return server;
  }

  async #pause(ms: number): Promise<void> {
    await setTimeout(ms, undefined, { signal: this.#stage.signal });
  }
}
