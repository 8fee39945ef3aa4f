/** What a running balancer consists of. Making it opens no port and starts no worker. */
import type { Config } from "../../config/schema.ts";
import type { Timing } from "../../deadlines/timing.ts";
import { Administrative } from "./administrative.ts";
import { Commands } from "./commands.ts";
import { Events } from "./events.ts";
import { Forgetting } from "./forgetting.ts";
import type { Inheritance } from "./handover.ts";
import { Keeper } from "./keeper.ts";
import { Listeners } from "./listeners.ts";
import { Names } from "./names.ts";
import { Neighbours } from "./neighbours.ts";
import type { Output } from "./output.ts";
import { longestIdleSec } from "./planner.ts";
import { Reloads } from "./reloads.ts";
import { RunningConfig } from "./running-config.ts";
import { fingerprintKey, tokenKeys } from "./secrets.ts";
import { Servers } from "./servers.ts";
import { Sessions } from "./sessions.ts";
import { SharedState } from "./shared-state.ts";
import { Slots } from "./slots.ts";
import { TicketKeys } from "./ticket-keys.ts";
import { type Lost, Workers } from "./workers.ts";

export interface PartsOptions {
  /** The YAML file; read again by `reload`. */
  readonly file: string;
  readonly config: Config;
  readonly data: string;
  /** What this machine calls itself. */
  readonly node: string;
  readonly output: Output;
  readonly timing: Timing;
  readonly randomBytes: (bytes: number) => Uint8Array;
  /** Descriptors that this process may open. */
  readonly files: number;
  readonly cores: number;
  /** From the process that is being taken over. */
  readonly inheritance: Inheritance | null;
}

export class Parts {
  readonly upSinceMs: number;
  readonly shared: SharedState;
  readonly slots: Slots;
  readonly events: Events;
  readonly listeners: Listeners;
  readonly servers: Servers;
  readonly names: Names;
  readonly ticketKeys: TicketKeys;
  readonly running: RunningConfig;
  readonly sessions: Sessions;
  readonly keeper: Keeper;
  readonly workers: Workers;
  readonly neighbours: Neighbours;
  readonly reloads: Reloads;
  readonly commands: Commands;

  /** Throws HoldfastError when the data folder, or what is inherited, cannot be used. */
  constructor(options: PartsOptions) {
    const { config, data, inheritance, timing, randomBytes, output } = options;
    this.upSinceMs = timing.wallClock();
    const events = new Events(output.log, timing.wallClock);
    this.events = events;

    const sizes = { stickyEntries: config.tables.sticky, sourceEntries: config.tables.sources, files: options.files };
    const shared = new SharedState(sizes, inheritance);
    this.shared = shared;
    const { board, sticky } = shared;
    sticky.setLongestIdle(longestIdleSec(config));
    const slots = new Slots(board, inheritance?.slots);
    this.slots = slots;

    const count = config.workers ?? options.cores;
    this.listeners = new Listeners(count, inheritance?.listeners, inheritance?.listenerFds);
    const administrative = new Administrative(data, (problem) => output.log.warn("state.problem", problem));
    this.servers = new Servers({
      board,
      slots,
      administrative,
      timing,
      onEvent: ({ event, msg, ...details }) =>
        events.tell(event === "server.down" ? "warn" : "info", event, msg, details),
    });
    this.names = new Names(timing, () => void this.reloads.replan());

    const keys = {
      fingerprintKey: fingerprintKey(data, randomBytes),
      tokenKeys: tokenKeys(data, config.tokens?.keyFile, randomBytes),
    };
    this.ticketKeys = new TicketKeys(randomBytes, inheritance?.ticketKeys);
    const { listeners, names, ticketKeys } = this;
    const generation = { number: (inheritance?.generation ?? 0) + 1, atMs: this.upSinceMs };
    this.running = new RunningConfig(config, generation, { ...keys, slots, listeners, names, ticketKeys });

    const accessLines = (of: Config) => output.accessLines(of, slots, keys.fingerprintKey);
    this.sessions = new Sessions({
      shared,
      slots,
      output,
      accessLines: accessLines(config),
      wallClock: timing.wallClock,
      columns: () => [...this.workers.columns, ...(this.neighbours.predecessor?.columns ?? [])],
    });
    this.keeper = new Keeper({
      data,
      board,
      sticky,
      slots,
      directory: this.sessions.directory,
      onProblem: (event, sentence) => events.tell("warn", event, sentence),
    });
    this.workers = new Workers(count, {
      ...shared.ofThis(),
      pid: process.pid,
      timing,
      startSec: Math.floor(this.upSinceMs / 1000),
      plan: (worker) => this.running.plan(worker),
      onLost: (lost) => this.#workerLost(lost),
      onServerTlsFailed: (pool, server, reason, detail) => {
        const sentence = `TLS with ${pool}/${server} failed: ${detail || reason}`;
        events.tell("warn", "server.tls-failed", sentence, { pool, server, reason });
      },
    });
    this.neighbours = new Neighbours({
      shared,
      data,
      events,
      before: inheritance,
      onPredecessorEnded: (columns) => this.sessions.lose(columns),
      // It may have written what its file says of the servers.
      onCandidateEnded: () => this.servers.declare(this.running.config),
    });

    const { running, servers, sessions, keeper, neighbours } = this;
    this.reloads = new Reloads({
      file: options.file,
      timing,
      shared,
      slots,
      events,
      running,
      names,
      servers,
      listeners,
      workers: this.workers,
      onAdopted: (next) => {
        output.follow(next);
        sessions.setAccessLines(accessLines(next));
      },
    });
    this.commands = new Commands({
      timing,
      events,
      running,
      servers,
      administrative,
      sessions,
      keeper,
      neighbours,
      workers: this.workers,
      forgetting: new Forgetting({ ...keys, sticky, board, slots }),
      tokenKeys: keys.tokenKeys,
    });
  }

  #workerLost({ column, why, message, connections }: Lost): void {
    this.sessions.lose([column]);
    const sentence = `a worker ${why === "hung" ? "hung" : "failed"} and was replaced: ${message}`;
    this.events.tell("error", "worker.lost", sentence, { column, why, connections });
  }
}
