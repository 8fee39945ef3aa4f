/** A real worker with an HTTP service and a server whose every byte the test writes itself. */
import type { HttpPlan } from "../../../../src/balancer/plan.ts";
import { SERVICE } from "../../rig.ts";
import { Client, Server, type Visitor } from "../../service/peers.ts";
import { type PlanSketch, type PoolSketch, type ServiceSketch, WorkerRig } from "../worker-rig.ts";

/** As the schema completes it. */
export const HTTP: HttpPlan = {
  forwarded: { mode: "off", standard: false },
  requestId: false,
  setRequest: [],
  removeRequest: [],
  setResponse: [],
  removeResponse: [],
  limits: {
    head: 16_384,
    target: 8_192,
    fields: 100,
    requestsPerSource: 0,
    requestsPerSourceMs: 0,
    concurrentPerSource: 0,
    bodyRate: 0,
    streams: 100,
  },
  timeouts: { keepAlive: 60_000, body: 30_000 },
  sorry: null,
};

export interface StageSketch {
  readonly http?: Partial<HttpPlan>;
  readonly service?: Partial<ServiceSketch>;
  readonly pool?: Partial<PoolSketch>;
  /** How many servers there are; all are the same. */
  readonly servers?: number;
}

export class Stage {
  readonly rig: WorkerRig;
  readonly servers: readonly Server[];
  /** What the worker was started with. */
  readonly sketch: PlanSketch;
  readonly #clients: Client[] = [];

  private constructor(rig: WorkerRig, servers: readonly Server[], sketch: PlanSketch) {
    this.rig = rig;
    this.servers = servers;
    this.sketch = sketch;
  }

  static async open({ http, service, pool, servers = 1 }: StageSketch = {}): Promise<Stage> {
    const names = Array.from({ length: servers }, (_, index) => `s${index + 1}`);
    const started = await Promise.all(names.map((name) => Server.start(name, { answers: false })));
    const sketch: PlanSketch = {
      pools: {
        web: {
          keepAlive: { connections: 8, idleMs: 60_000 },
          ...pool,
          servers: Object.fromEntries(started.map((server) => [server.name, server.port])),
        },
      },
      services: {
        web: {
          protocol: "http",
          http: { ...HTTP, ...http },
          ...service,
          timeouts: { ...SERVICE.timeouts, ...service?.timeouts },
        },
      },
    };
    return new Stage(await WorkerRig.start(sketch), started, sketch);
  }

  /** A client that sends `bytes` at once. */
  async client(bytes: string | Uint8Array): Promise<Client> {
    const client = await Client.connect(this.rig.port("web"), { first: bytes });
    this.#clients.push(client);
    return client;
  }

  /** Connection number `nth` (0, 1, …) to a server. */
  visitor(nth = 0, server = 0): Promise<Visitor> {
    return this.servers[server]!.visitor(nth);
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.leave()));
    await Promise.all(this.servers.map((server) => server.stop()));
    await this.rig.stop();
  }
}

/** Text that came, once it ends with `end`. */
export async function textUntil(peer: Client | Visitor, end: string): Promise<string> {
  return (await peer.receive((bytes) => bytes.toString("latin1").endsWith(end))).toString("latin1");
}
