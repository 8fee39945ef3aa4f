import { expect, test } from "bun:test";
import type { PoolRuntime } from "../../../src/balancer/decide.ts";
import type { RoutePlan, ServicePlan } from "../../../src/balancer/plan.ts";
import { ServiceRuntime } from "../../../src/balancer/worker/service.ts";
import { parseCidr } from "../../../src/protocols/address.ts";
import { clientFrom, Rig, SERVICE } from "../rig.ts";

const rig = new Rig();
const one = rig.pool({ servers: { one: {} } });
const two = rig.pool({ servers: { two: {} } });

function serviceWith(routes: RoutePlan[]): ServiceRuntime {
  const plan: ServicePlan = {
    id: 0,
    name: "service",
    protocol: "rdp",
    listeners: [],
    routes,
    ...SERVICE,
  };
  return new ServiceRuntime(plan, rig.board.service(0), new Map([one, two].map((pool) => [pool.plan.id, pool])));
}

const route = (pool: PoolRuntime, networks: string[], collection?: string): RoutePlan => ({
  pools: [pool.plan.id],
  source: networks.map((network) => parseCidr(network)!),
  ...(collection !== undefined && { collection }),
});

test("a long network of a route does not make its short ones more specific", () => {
  const service = serviceWith([
    route(one, ["192.168.0.0/16", "10.1.1.1/32", "2001:db8::1"]),
    route(two, ["192.168.5.0/24"]),
  ]);
  expect(service.routeOf(clientFrom("192.168.5.7"))?.pools).toEqual([two]);
  expect(service.routeOf(clientFrom("192.168.6.7"))?.pools).toEqual([one]);
  expect(service.routeOf(clientFrom("10.1.1.1"))?.pools).toEqual([one]);
  expect(service.routeOf(clientFrom("10.1.1.2"))).toBeNull();
});

test("a collection is more specific than any network", () => {
  const service = serviceWith([route(one, ["10.0.0.1/32"]), route(two, ["10.0.0.0/8"], "sales")]);
  expect(service.routeOf(clientFrom("10.0.0.1", "", { collection: "sales" }))?.pools).toEqual([two]);
  expect(service.routeOf(clientFrom("10.0.0.1"))?.pools).toEqual([one]);
});
