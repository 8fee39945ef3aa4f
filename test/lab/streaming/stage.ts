/** A streaming cluster with its balancer and its clients: what the tests of each arrangement have in common. */
import { Authority, type Certificate } from "../certificates.ts";
import type { Front } from "../front.ts";
import { EventLog } from "../session-log.ts";
import { type ClientOptions, StreamingClient } from "./clients.ts";
import { type NodeEvent, type PortOptions, StreamingNode } from "./node.ts";

/** The hosts that people dial: `push` is balanced, the others are pinned. */
export const PUSH = "push.example.test";
export const PINNED = { push1: "push1.example.test", push2: "push2.example.test" } as const;

/** A second domain of the same cluster. */
export const OURS = "push.ours.test";

export type NodeName = keyof typeof PINNED;
export const NODES: readonly NodeName[] = ["push1", "push2"];

export interface Arrangement {
  /** Each node's ports. */
  ports(node: NodeName, stage: Stage): Readonly<Record<string, PortOptions>>;
  /** Starts the balancer before them. */
  front(stage: Stage): Promise<{ front: Front; port: number; hosts: Readonly<Record<string, string>> }>;
}

export class Stage {
  readonly authority = new Authority();
  /** What all nodes got, in order. */
  readonly log = new EventLog<NodeEvent>();
  readonly nodes = new Map<NodeName, StreamingNode>();
  front!: Front;
  /** Where clients connect, and the addresses of the names that they dial. */
  port = 0;
  hosts: Readonly<Record<string, string>> = {};
  readonly #clients: StreamingClient[] = [];
  readonly #certificates = new Map<string, Certificate>();
  #addresses = 0;

  static async start(arrangement: Arrangement): Promise<Stage> {
    const stage = new Stage();
    try {
      for (const name of NODES) {
        const ports = arrangement.ports(name, stage);
        stage.nodes.set(name, await StreamingNode.start({ name, ports }, stage.log));
      }
      Object.assign(stage, await arrangement.front(stage));
    } catch (failure) {
      await stage.stop();
      throw failure;
    }
    return stage;
  }

  /** The certificate that goes by a name of the test's own: made once, for `names`. */
  certificate(name: string, ...names: string[]): Certificate {
    const certificate = this.#certificates.get(name) ?? this.authority.issue(...names);
    this.#certificates.set(name, certificate);
    return certificate;
  }

  /** An address that no client has had: 127.0.20.1, 2, …. */
  newAddress(): string {
    return `127.0.20.${++this.#addresses}`;
  }

  /** Starts a client that dials `host`, from an address of its own. */
  client(options: Partial<ClientOptions> & { readonly host?: string } = {}): StreamingClient {
    const { host = PUSH, ...rest } = options;
    const url = `https://${host}:${this.port}`;
    const from = options.from ?? this.newAddress();
    const client = new StreamingClient({ url, hosts: this.hosts, ...rest, from }, this.authority.file);
    this.#clients.push(client);
    return client;
  }

  /** The node that holds a session, which begins with the node's name. */
  nodeOf(session: string): StreamingNode {
    return this.nodes.get(session.split(".")[0] as NodeName)!;
  }

  /** What the nodes got for a session, in order. */
  heardOf(session: string): readonly NodeEvent[] {
    return this.log.events.filter((event) => event.session === session);
  }

  /** All clients leave, and nodes and balancer are as at the beginning. */
  async clear(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.leave()));
    for (const [name, node] of this.nodes) {
      node.refusesWebSockets = false;
      node.controlLink = "*";
      await this.front.ready(name);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.leave()));
    await this.front?.stop();
    await Promise.all([...this.nodes.values()].map((node) => node.stop()));
    this.authority.dispose();
  }
}

/** Do the numbers of updates follow one another, so that nothing was lost or came twice? */
export function follow(counts: readonly number[]): boolean {
  return counts.length > 0 && counts.every((count, at) => count === counts[0]! + at);
}
