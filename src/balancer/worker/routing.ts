/**
 * Where a client's route is found: compiled from a service's plan, asked for each connection or HTTP request.
 *
 * The most specific route that fits wins, whatever the order of the file: an exact host before a wildcard, a longer wildcard
 * before a shorter one, any host last; among those, the longer path; then one that asks for a field (with its value before
 * any value), one that asks for a collection, and the longer network of sources. O(length of host and path), whatever the
 * number of routes. Nothing is decoded: a path is compared as it came.
 */

import { inCidr } from "../../protocols/address.ts";
import type { Client, HttpRequest } from "../client.ts";
import { copyClientHost, MAX_HOST } from "../host-name.ts";
import type { AnswerPlan, RoutePlan } from "../plan.ts";
import type { PoolRuntime } from "../pool-runtime.ts";
import type { ServerId } from "../shared/server-id.ts";
import { ByteTable, EMPTY_HASH, hashByte } from "./byte-table.ts";

/** Where a client may go. */
export interface RouteRuntime {
  /** Position in the service's plan: how records name it. */
  readonly index: number;
  /** Best first; empty where the balancer itself answers. */
  readonly pools: readonly PoolRuntime[];
  /** Pinned: only this server; 0: not pinned. */
  readonly server: ServerId | 0;
  /** HTTP: the balancer itself answers. */
  readonly answer: AnswerPlan | null;
}

const SLASH = 0x2f;
const DOT = 0x2e;

/** What one service's clients may do; built once for each plan. */
export class Router {
  readonly #hosts: ByteTable;
  readonly #wildcards: ByteTable;
  readonly #byHost: readonly Paths[];
  readonly #byWildcard: readonly Paths[];
  readonly #anyHost: Paths;
  readonly #host = new Uint8Array(MAX_HOST);
  /** Wildcards that fit, shortest first. */
  readonly #fitting = new Int32Array(MAX_HOST);

  constructor(plans: readonly RoutePlan[], pools: ReadonlyMap<number, PoolRuntime>) {
    const rules = plans.flatMap((plan, index) => rulesOf(plan, index, pools));
    const exact = groupBy(
      rules.filter(({ plan }) => plan.host?.wildcard === false),
      hostOf,
    );
    const wildcards = groupBy(
      rules.filter(({ plan }) => plan.host?.wildcard === true),
      hostOf,
    );
    this.#hosts = new ByteTable(keysOf(exact), hashBackwards);
    this.#wildcards = new ByteTable(keysOf(wildcards), hashBackwards);
    this.#byHost = [...exact.values()].map((group) => new Paths(group));
    this.#byWildcard = [...wildcards.values()].map((group) => new Paths(group));
    this.#anyHost = new Paths(rules.filter(({ plan }) => plan.host === undefined));
  }

  /** The route of a client, or of the request that it carries; null when none fits. Allocates nothing. */
  route(client: Client): RouteRuntime | null {
    if (this.#byHost.length > 0 || this.#byWildcard.length > 0) {
      const route = this.#routeByHost(client);
      if (route !== null) return route;
    }
    return this.#anyHost.route(client);
  }

  /** One pass over the host from its end finds the hash of every suffix and, last, of the whole. */
  #routeByHost(client: Client): RouteRuntime | null {
    const host = this.#host;
    const length = copyClientHost(client, host);
    let hash = EMPTY_HASH;
    let fitting = 0;
    for (let at = length - 1; at >= 0; at--) {
      hash = hashByte(hash, host[at]!);
      if (at < 2 || host[at - 1] !== DOT || this.#byWildcard.length === 0) continue;
      const wildcard = this.#wildcards.find(hash, host, at, length);
      if (wildcard >= 0) this.#fitting[fitting++] = wildcard;
    }
    const exact = length > 0 ? this.#hosts.find(hash, host, 0, length) : -1;
    let route = exact < 0 ? null : this.#byHost[exact]!.route(client);
    while (route === null && fitting > 0) route = this.#byWildcard[this.#fitting[--fitting]!]!.route(client);
    return route;
  }
}

/** The routes for one host (or for any), by path. */
class Paths {
  readonly #table: ByteTable;
  readonly #rules: readonly (readonly Rule[])[];
  readonly #anyPath: readonly Rule[];
  readonly #longest: number;
  /** Paths that fit, shortest first. */
  readonly #fitting: Int32Array;

  constructor(rules: readonly Rule[]) {
    const paths = groupBy(
      rules.filter(({ plan }) => plan.path !== undefined),
      ({ plan }) => plan.path!,
    );
    const keys = keysOf(paths);
    this.#table = new ByteTable(keys, hashForwards);
    this.#rules = [...paths.values()].map(sorted);
    this.#anyPath = sorted(rules.filter(({ plan }) => plan.path === undefined));
    this.#longest = keys.reduce((longest, key) => Math.max(longest, key.length), 0);
    this.#fitting = new Int32Array(this.#longest);
  }

  route(client: Client): RouteRuntime | null {
    const { request } = client;
    if (this.#longest > 0 && request !== null) {
      const route = this.#routeByPath(client, request);
      if (route !== null) return route;
    }
    return firstThatFits(this.#anyPath, client);
  }

  /** A path fits where it ends at a `/`, in front of one, or with the whole. */
  #routeByPath(client: Client, { bytes, head }: HttpRequest): RouteRuntime | null {
    const from = head.pathAt;
    const to = head.pathEnd;
    const end = Math.min(to, from + this.#longest);
    let hash = EMPTY_HASH;
    let fitting = 0;
    for (let at = from; at < end; at++) {
      hash = hashByte(hash, bytes[at]!);
      if (bytes[at] !== SLASH && at + 1 !== to && bytes[at + 1] !== SLASH) continue;
      const path = this.#table.find(hash, bytes, from, at + 1);
      if (path >= 0) this.#fitting[fitting++] = path;
    }
    let route: RouteRuntime | null = null;
    while (route === null && fitting > 0) route = firstThatFits(this.#rules[this.#fitting[--fitting]!]!, client);
    return route;
  }
}

/** A route without what the tables have looked at: for one network of sources. */
interface Rule {
  readonly plan: RoutePlan;
  readonly header: { readonly name: Uint8Array; readonly value: Uint8Array | null } | null;
  readonly runtime: RouteRuntime;
}

/** A route is as specific as the network that the client is in, not as the longest that it names. */
function rulesOf(plan: RoutePlan, index: number, pools: ReadonlyMap<number, PoolRuntime>): Rule[] {
  const { header, answer = null, server = 0 as const } = plan;
  const rule = {
    header:
      header === undefined
        ? null
        : { name: utf8(header.name), value: header.value === undefined ? null : utf8(header.value) },
    runtime: { index, pools: plan.pools.map((id) => pools.get(id)!), server, answer },
  };
  return plan.source?.map((network) => ({ ...rule, plan: { ...plan, source: [network] } })) ?? [{ ...rule, plan }];
}

function firstThatFits(rules: readonly Rule[], client: Client): RouteRuntime | null {
  for (let i = 0; i < rules.length; i++) if (fits(rules[i]!, client)) return rules[i]!.runtime;
  return null;
}

function fits({ plan, header }: Rule, client: Client): boolean {
  if (plan.collection !== undefined && plan.collection !== client.collection) return false;
  if (plan.source !== undefined && !inCidr(plan.source[0]!, client.source)) return false;
  return header === null || (client.request !== null && hasField(client.request, header.name, header.value));
}

/** Is there a field of that name, with that value if one is given? */
function hasField({ bytes, head }: HttpRequest, name: Uint8Array, value: Uint8Array | null): boolean {
  const { fields } = head;
  for (let i = fields.findName(bytes, name); i >= 0; i = fields.findName(bytes, name, i + 1)) {
    if (value === null || isSame(value, bytes, fields.valueAt(i), fields.valueEnd(i))) return true;
  }
  return false;
}

function isSame(value: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== value.length) return false;
  for (let i = 0; i < value.length; i++) if (value[i] !== bytes[from + i]) return false;
  return true;
}

function sorted(rules: readonly Rule[]): Rule[] {
  return [...rules].sort((a, b) => specificity(b.plan) - specificity(a.plan));
}

/** Networks have up to 128 bits; what weighs more does so whatever they are. */
function specificity({ header, collection, source }: RoutePlan): number {
  const field = header === undefined ? 0 : header.value === undefined ? 2_000 : 4_000;
  const network = source?.[0];
  return field + (collection === undefined ? 0 : 1_000) + (network === undefined ? 0 : network.bits + 1);
}

function groupBy(rules: readonly Rule[], keyOf: (rule: Rule) => string): Map<string, Rule[]> {
  return Map.groupBy(rules, keyOf);
}

const hostOf = ({ plan }: Rule) => plan.host!.name;
const utf8 = (text: string) => new TextEncoder().encode(text);
const keysOf = (groups: ReadonlyMap<string, unknown>) => [...groups.keys()].map(utf8);
const hashForwards = (key: Uint8Array) => key.reduce(hashByte, EMPTY_HASH);
const hashBackwards = (key: Uint8Array) => key.reduceRight(hashByte, EMPTY_HASH);
