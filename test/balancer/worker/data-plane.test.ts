/** One worker's loop, turned by hand in this thread. */
import { afterAll, expect, test } from "bun:test";
import { newClient } from "../../../src/balancer/client.ts";
import type { Plan, PoolPlan, ServicePlan } from "../../../src/balancer/plan.ts";
import { Columns } from "../../../src/balancer/shared/columns.ts";
import { Scoreboard } from "../../../src/balancer/shared/scoreboard.ts";
import { WEIGHT_UNIT } from "../../../src/balancer/shared/server-view.ts";
import { ServerState } from "../../../src/balancer/shared/words.ts";
import { DataPlane } from "../../../src/balancer/worker/data-plane.ts";
import type { ServiceRuntime } from "../../../src/balancer/worker/service.ts";
import { sys } from "../../../src/os/libc.ts";
import { WRITABLE } from "../../../src/os/poller.ts";
import { bindListener, dial, listen, localPort, MSG_NOSIGNAL, socketAddress } from "../../../src/os/socket.ts";
import { parseAddress } from "../../../src/protocols/address.ts";
import { POOL, SERVICE } from "../rig.ts";
import { testMemory } from "../shared/shared-memory.ts";

const LOOPBACK = parseAddress("127.0.0.1")!;
const NONBLOCK = 0o4000;
const NOW_SEC = 1_800_000_000;
/** What happens at all happens within this time. */
const WITHIN_MS = 3_000;

const open: number[] = [];
afterAll(() => {
  for (const fd of open) sys.close(fd);
});

function listener(): number {
  const fd = bindListener(LOOPBACK, 0);
  listen(fd);
  open.push(fd);
  return fd;
}

function connectTo(port: number): number {
  const fd = dial(socketAddress(LOOPBACK, port));
  expect(fd).toBeGreaterThan(0);
  open.push(fd);
  return fd;
}

/** A worker with one service, whose pool has one server with room for one client. */
function workerWithOneServer() {
  const { memory, buffer, layout } = testMemory({ files: 4096 });
  const control = new Scoreboard(buffer, layout, 1);
  const columns = new Columns(buffer, layout);
  columns.claim(process.pid);
  const column = columns.claim(process.pid);
  control.useColumn(column);
  const id = control.claimServer(0);
  const server = control.server(id);
  server.setWeight(100 * WEIGHT_UNIT, 0);
  server.setLimit(1);
  server.setState(ServerState.READY, NOW_SEC);

  const [front, back] = [listener(), listener()];
  const pool: PoolPlan = {
    id: 0,
    name: "pool",
    algorithm: "first",
    persistence: null,
    ...POOL,
    retries: 0,
    servers: [
      {
        id,
        name: "server",
        address: LOOPBACK,
        port: localPort(back),
        weight: 100,
        backup: false,
        host: "",
        tokenHigh: 1,
        tokenLow: 1,
      },
    ],
  };
  const service: ServicePlan = {
    id: 0,
    name: "service",
    protocol: "tcp",
    listeners: [front],
    routes: [{ pools: [0] }],
    ...SERVICE,
  };
  const plan: Plan = {
    generation: 1,
    services: [service],
    pools: [pool],
    fingerprintKey: new Uint8Array(16),
    tokenKeys: [],
    ticketKeys: [],
    accessLog: false,
    accessFormat: "json",
  };
  const wake = sys.eventfd(0, NONBLOCK);
  open.push(wake);
  const birth = {
    memory,
    layout,
    process: 0,
    column,
    epoch: 0,
    startSec: NOW_SEC,
    wakes: [{ column, fd: wake }],
    plan,
  };
  return { control, server, front, plan, beats: () => columns.beats(column), plane: new DataPlane(birth, () => 0) };
}

test("a worker with much to do in one turn is seen to be alive within it", () => {
  const { front, plane, beats } = workerWithOneServer();
  const seen: number[] = [];
  const look = { onReady: () => void seen.push(beats()), goOn: () => void seen.push(beats()) };
  for (let nth = 0; nth < 3; nth++) plane.poller.add(connectTo(localPort(front)), WRITABLE, look);
  for (let nth = 0; nth < 3; nth++) plane.unfinished(look);
  for (const began = performance.now(); seen.length < 6 && performance.now() - began < WITHIN_MS; ) plane.turn();
  expect(seen).toHaveLength(6);
  expect(new Set(seen).size).toBe(6);
  for (const connection of [...plane.open()]) connection.close(0);
  sys.close(plane.poller.fd);
});

test("who waits gets a place that nobody told of, however busy the worker is", () => {
  const { control, server, front, plane } = workerWithOneServer();
  const byte = new Uint8Array(1);
  // Each turn has something to do: the first client never stops speaking.
  const turnUntil = (talker: number, isDone: () => boolean) => {
    for (const began = performance.now(); !isDone() && performance.now() - began < WITHIN_MS; ) {
      sys.send(talker, byte, 1, MSG_NOSIGNAL);
      plane.turn();
    }
    expect(isDone()).toBe(true);
  };

  const first = connectTo(localPort(front));
  turnUntil(first, () => server.connections() === 1);
  connectTo(localPort(front));
  turnUntil(first, () => control.pool(0).queued() === 1);
  server.setLimit(2);
  turnUntil(first, () => control.pool(0).queued() === 0);
  expect(server.connections()).toBe(2);
  for (const connection of [...plane.open()]) connection.close(0);
  sys.close(plane.poller.fd);
});

test("a pool of which a reload changes nothing stays, with all that was prepared for it", () => {
  const { plan, plane } = workerWithOneServer();
  const poolOf = (current: Plan) => {
    plane.adopt(structuredClone(current));
    const service = plane.newest({ plan: { id: 0 } } as ServiceRuntime);
    return service.routeOf(newClient())!.pools[0]!;
  };
  const first = poolOf(plan);
  expect(poolOf({ ...plan, generation: 2, accessLog: true })).toBe(first);
  const longer = poolOf({ ...plan, pools: [{ ...plan.pools[0]!, connectTimeoutMs: 9_000 }] });
  expect(longer).not.toBe(first);
  expect(longer.plan.connectTimeoutMs).toBe(9_000);
  const otherKey = poolOf({ ...plan, pools: [longer.plan], fingerprintKey: new Uint8Array(16).fill(1) });
  expect(otherKey).not.toBe(longer);
  sys.close(plane.poller.fd);
});
