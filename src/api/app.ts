/** The admin API: what `holdfast status`, `drain` and the others talk to. */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Hono } from "hono";
import type { Balancer, PoolStatus, ServerStatus, StatusReport } from "../balancer/control/balancer.ts";
import { nearest } from "../config/suggest.ts";
import { HoldfastError } from "../errors.ts";
import type { Log } from "../observe/log.ts";
import { metricsText, readScopes, SCOPES } from "../observe/metrics.ts";
import { PROMETHEUS_TYPE } from "../observe/prometheus.ts";
import { VERSION } from "../version.ts";
import { affectedBy } from "./affected.ts";
import { eventStream } from "./events.ts";
import { problemDetails, problemResponse } from "./problems.ts";
import {
  administrativeRoute,
  endSessionsRoute,
  eventsRoute,
  forgetRoute,
  metricsRoute,
  reloadRoute,
  sessionsRoute,
  statusRoute,
  tokenRoute,
} from "./routes.ts";

const DEFAULT_PAGE = 100;

export interface ApiOptions {
  balancer: Balancer;
  log: Log;
  /** Random ids of requests, as text. */
  requestId: () => string;
  /** More routes of the process itself (taking over), mounted at `/`. */
  extra?: Hono;
}

/** The API as one application; `serveApi` puts it on a socket. */
export function createApi({ balancer, log, requestId, extra }: ApiOptions): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (result.success) return;
      const errors = result.error.issues.map((issue) => ({
        pointer: `/${issue.path.map(String).join("/")}`,
        message: issue.message,
      }));
      const error = new HoldfastError("api/bad-request", errors.map((e) => `${e.pointer}: ${e.message}`).join("; "));
      return problemResponse(problemDetails(error, requestId(), errors));
    },
  });

  app.notFound((c) =>
    problemResponse(
      problemDetails(new HoldfastError("api/not-found", `${c.req.path} is no address of this API`), requestId()),
    ),
  );
  app.onError((cause) => {
    const instance = requestId();
    if (cause instanceof HoldfastError) return problemResponse(problemDetails(cause, instance));
    // Hono's own refusals (a body that is not JSON) carry their status.
    if ("getResponse" in cause && "status" in cause && Number(cause.status) < 500) {
      return problemResponse(problemDetails(new HoldfastError("api/bad-request", cause.message), instance));
    }
    log.error("api.failed", `a request to the admin API failed: ${cause.message}`, { instance, stack: cause.stack });
    return problemResponse(
      problemDetails(new HoldfastError("api/internal", "the request failed; the log has more"), instance),
    );
  });

  app.openapi(statusRoute, (c) => c.json(balancer.status(), 200));

  app.openapi(reloadRoute, async (c) => {
    const report = await balancer.reload();
    if (report.ok) return c.json(report, 200);
    const error = new HoldfastError("api/reload-refused", report.summary, { hint: "holdfast check -c FILE" });
    return problemResponse(problemDetails(error, requestId(), report.problems)) as never;
  });

  app.openapi(administrativeRoute, (c) => {
    const names = c.req.valid("param");
    const wanted = c.req.valid("json");
    const { pool, server } = findServer(balancer.status(), names.pool, names.server);
    if (wanted.withinMs !== undefined && wanted.state !== "drain") {
      throw new HoldfastError("api/bad-request", "/withinMs: only a drain ends what is left after a time");
    }
    const affected = affectedBy(pool, server, wanted.state);
    if (c.req.valid("query").dryRun === "true") return c.json({ dryRun: true as const, affected }, 200);
    if (affected.lastUsable && wanted.confirm !== true) {
      throw new HoldfastError(
        "api/last-usable-server",
        `${pool.name}/${server.name} is the last server of ${pool.name} that takes new users: without it they are refused`,
        { hint: "repeat the command with --yes if that is wanted" },
      );
    }
    const result = balancer.setAdministrative(pool.name, server.name, wanted.state, {
      by: wanted.by,
      ...(wanted.withinMs === undefined ? {} : { withinMs: wanted.withinMs }),
    });
    return c.json({ ...result, affected }, 200);
  });

  app.openapi(sessionsRoute, (c) => {
    const { limit = DEFAULT_PAGE, ...filter } = withoutUndefined(c.req.valid("query"));
    return c.json(balancer.sessions({ ...filter, limit }), 200);
  });

  app.openapi(endSessionsRoute, async (c) => {
    const selector = withoutUndefined(c.req.valid("json"));
    const status = balancer.status();
    if (selector.server !== undefined) findServer(status, selector.pool ?? "", selector.server);
    else if (selector.pool !== undefined) findPool(status, selector.pool);
    if (c.req.valid("query").dryRun === "true") {
      return c.json({ ended: countSessions(balancer, selector), dryRun: true as const }, 200);
    }
    return c.json(await balancer.endSessions(selector), 200);
  });

  app.openapi(forgetRoute, (c) => {
    const { by, ...selector } = c.req.valid("json");
    const pool = findPool(balancer.status(), c.req.valid("param").pool);
    const dryRun = c.req.valid("query").dryRun === "true";
    return c.json(balancer.forget(pool.name, selector, { by, dryRun }), 200);
  });

  app.openapi(tokenRoute, (c) => {
    const { pool, server, ...options } = withoutUndefined(c.req.valid("json"));
    findServer(balancer.status(), pool, server);
    return c.json(balancer.signToken(pool, server, options), 200);
  });

  app.openapi(eventsRoute, () => eventStream(balancer) as never);

  app.openapi(metricsRoute, (c) => {
    const scopes = readScopes(c.req.valid("query").scope);
    if (scopes === null) throw new HoldfastError("api/bad-request", `/scope: a list of ${SCOPES.join(", ")}`);
    return c.body(metricsText(balancer, scopes), 200, { "content-type": PROMETHEUS_TYPE }) as never;
  });

  app.doc31("/api/v1/openapi.json", {
    openapi: "3.1.0",
    info: { title: "Holdfast admin API", version: VERSION },
  });
  if (extra !== undefined) app.route("/", extra);
  return app;
}

function findPool(status: StatusReport, name: string): PoolStatus {
  const pool = status.pools.find((candidate) => candidate.name === name);
  if (pool === undefined) throw unknownName(`there is no pool \`${name}\``, name, status.pools);
  return pool;
}

function findServer(status: StatusReport, poolName: string, name: string): { pool: PoolStatus; server: ServerStatus } {
  const pool = findPool(status, poolName);
  const server = pool.servers.find((candidate) => candidate.name === name);
  if (server === undefined) throw unknownName(`pool \`${pool.name}\` has no server \`${name}\``, name, pool.servers);
  return { pool, server };
}

function unknownName(message: string, name: string, known: readonly { name: string }[]): HoldfastError {
  const names = known.map((one) => one.name);
  const near = nearest(name, names);
  const hint = near === undefined ? `there are ${names.slice(0, 10).join(", ")}` : `Did you mean \`${near}\`?`;
  return new HoldfastError("api/not-found", message, names.length === 0 ? {} : { hint });
}

function countSessions(
  balancer: Balancer,
  selector: { id?: string; user?: string; pool?: string; server?: string },
): number {
  const { id, ...filter } = selector;
  let count = 0;
  let cursor: string | null = null;
  do {
    const page = balancer.sessions({
      ...filter,
      state: "connected",
      limit: 1_000,
      ...(cursor === null ? {} : { cursor }),
    });
    count += page.items.filter((session) => id === undefined || session.id === id || session.connection === id).length;
    cursor = page.next;
  } while (cursor !== null);
  return count;
}

/** The same object without keys that are undefined, as exact optional types want it. */
function withoutUndefined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
