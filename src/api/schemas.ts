/** What the admin API takes and answers, as schemas: validation, types and the OpenAPI document come from here. */
import { z } from "@hono/zod-openapi";
import {
  type AdministrativeResult,
  type ForgetResult,
  type ReloadReport,
  SERVER_STATES,
  type Session,
  type StatusReport,
} from "../balancer/control/balancer.ts";
import { ENDS, HANDSHAKES, RECOGNISED_BY, REFUSALS, RESPONSE_CLASSES, RETURNS } from "../balancer/shared/words.ts";
import { ERRORS, type ErrorCode } from "../errors.ts";

const time = z.string().meta({ format: "date-time", examples: ["2026-11-21T14:02:00.000Z"] });
const name = z.string().max(200);
/** A session's id has the user (64 bytes), where they come from, pool and server (63 characters each). */
const MAX_ID = 512;
/** The id of a session, whose characters may be of three bytes, in base64. */
const MAX_CURSOR = 2_048;

const serverStatus = z.object({
  name,
  address: z.string(),
  state: z.enum(SERVER_STATES),
  since: time,
  reason: z.string(),
  by: z.string(),
  until: time.nullable(),
  weight: z.number(),
  load: z.number().exactOptional(),
  backup: z.boolean(),
  limit: z.number().exactOptional(),
  open: z.number(),
  sessions: z.object({ connected: z.number(), disconnected: z.number() }),
  remembered: z.object({ count: z.number(), until: time.nullable() }).exactOptional(),
  connectMs: z.number().nullable(),
  checkMs: z.number().exactOptional(),
  total: z.number(),
  failures: z.object({ connect: z.number(), check: z.number() }),
  bytesIn: z.number(),
  bytesOut: z.number(),
});

/** The whole state, as `holdfast status --json` prints it. */
export const statusSchema = z
  .object({
    node: z.string(),
    version: z.string(),
    pid: z.number(),
    upSince: time,
    at: time,
    generation: z.object({ number: z.number(), at: time }),
    workers: z.array(
      z.object({
        column: z.number(),
        pid: z.number(),
        state: z.enum(["running", "starting", "stopping"]),
        heartbeatAgeMs: z.number(),
        connections: z.number(),
      }),
    ),
    predecessor: z.object({ pid: z.number(), connections: z.number() }).exactOptional(),
    attention: z.array(z.object({ severity: z.enum(["error", "warning"]), text: z.string() })),
    services: z.array(
      z.object({
        name,
        listen: z.array(z.string()),
        protocol: z.string(),
        state: z.enum(["up", "degraded", "down"]),
        pools: z.array(name),
        sessions: z.number(),
        open: z.number(),
        newPerSec: z.number(),
        inPerSec: z.number(),
        outPerSec: z.number(),
        total: z.number(),
        bytesIn: z.number(),
        bytesOut: z.number(),
        refused: z.partialRecord(z.enum(REFUSALS), z.number()),
        ended: z.partialRecord(z.enum(ENDS), z.number()),
        recognised: z.partialRecord(z.enum(RECOGNISED_BY), z.number()),
        http: z
          .object({
            requestsPerSec: z.number(),
            responses: z.partialRecord(z.enum(RESPONSE_CLASSES), z.number()),
            serverConnections: z.object({ new: z.number(), reused: z.number() }),
          })
          .exactOptional(),
        handshakes: z.partialRecord(z.enum(HANDSHAKES), z.number()).exactOptional(),
      }),
    ),
    pools: z.array(
      z.object({
        name,
        algorithm: z.string(),
        persistence: z.array(z.string()),
        directory: z.boolean(),
        queued: z.number(),
        returns: z.partialRecord(z.enum(RETURNS), z.number()),
        servers: z.array(serverStatus),
      }),
    ),
    certificates: z.array(
      z.object({ name: z.string(), hosts: z.array(z.string()), usedBy: z.array(z.string()), until: time }),
    ),
    ownSession: z.object({ came: z.number(), own: z.number(), ratio: z.number().nullable() }),
    sticky: z.object({
      entries: z.number(),
      capacity: z.number(),
      evictions: z.object({ full: z.number(), expired: z.number() }),
    }),
  })
  .openapi("Status") satisfies z.ZodType<StatusReport>;

const code = z.enum(Object.keys(ERRORS) as ErrorCode[]);

const problem = z.object({
  code,
  severity: z.enum(["error", "warning"]),
  file: z.string(),
  line: z.number(),
  column: z.number(),
  endColumn: z.number(),
  pointer: z.string(),
  message: z.string(),
  expected: z.string().exactOptional(),
  hint: z.string().exactOptional(),
});

/** What a reload did. */
export const reloadSchema = z
  .object({
    ok: z.boolean(),
    generation: z.object({ number: z.number(), at: time }),
    summary: z.string(),
    problems: z.array(problem),
  })
  .openapi("Reload") satisfies z.ZodType<ReloadReport>;

/** An error as RFC 9457 has it; `errors` are places in the configuration file or parts of the request. */
export const problemSchema = z
  .object({
    type: z.string(),
    code,
    title: z.string(),
    status: z.number(),
    detail: z.string(),
    instance: z.string(),
    hint: z.string().exactOptional(),
    errors: z.array(z.union([problem, z.object({ pointer: z.string(), message: z.string() })])).exactOptional(),
  })
  .openapi("Problem");
export type ProblemDetails = z.output<typeof problemSchema>;

export const serverParameters = z.object({
  pool: name.meta({ examples: ["rds"] }),
  server: name.meta({ examples: ["rds2"] }),
});

/** `?dryRun=true`: answer what would happen, do nothing. */
export const dryRunQuery = z.object({ dryRun: z.enum(["true", "false"]).optional() });

export const administrativeSchema = z
  .strictObject({
    state: z.enum(["ready", "drain", "maintenance"]),
    by: z.string().min(1).max(64).describe("Who wants it; shown in status and log."),
    withinMs: z
      .int()
      .min(1_000)
      .max(30 * 86_400_000)
      .optional()
      .describe("With drain: what is left after this time is ended. Without it nothing is ever ended."),
    confirm: z
      .boolean()
      .optional()
      .describe("Do it even where no other server of the pool would be left for new users."),
  })
  .openapi("AdministrativeState");

const affected = z.object({
  newUsersGoTo: z.array(name).describe("Servers of the pool that take new users afterwards."),
  lastUsable: z.boolean().describe("Would no server be left for new users?"),
  open: z.number(),
  connected: z.number(),
  disconnected: z.number(),
});
export type Affected = z.output<typeof affected>;

export const administrativeResultSchema = z
  .object({
    pool: name,
    server: name,
    state: z.enum(["ready", "drain", "maintenance"]),
    by: z.string(),
    at: time,
    ends: time.nullable(),
    stays: z.object({ open: z.number(), connected: z.number(), disconnected: z.number() }),
    affected,
  })
  .openapi("AdministrativeResult") satisfies z.ZodType<AdministrativeResult & { affected: Affected }>;
export type AdministrativeAnswer = z.output<typeof administrativeResultSchema>;

export const dryRunSchema = z.object({ dryRun: z.literal(true), affected }).openapi("DryRun");

export const sessionsQuery = z.object({
  pool: name.optional(),
  server: name.optional(),
  user: z.string().max(256).optional(),
  state: z.enum(["connected", "disconnected"]).optional(),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .optional()
    .meta({ examples: [100] }),
  cursor: z.string().max(MAX_CURSOR).optional(),
});

const session = z.object({
  id: z.string(),
  user: z.string(),
  state: z.enum(["connected", "disconnected"]),
  service: name,
  pool: name,
  server: name,
  since: time,
  lastSeen: time,
  from: z.string(),
  recognisedBy: z.enum(RECOGNISED_BY),
  connection: z.string().exactOptional(),
  bytesIn: z.number(),
  bytesOut: z.number(),
}) satisfies z.ZodType<Session>;

export const sessionPageSchema = z.object({ items: z.array(session), next: z.string().nullable() }).openapi("Sessions");

export const poolParameters = z.object({ pool: name.meta({ examples: ["web"] }) });

/** Longest value by which a client is named. */
const MAX_VALUE = 4_096;
const value = z.string().min(1).max(MAX_VALUE).exactOptional();

/** Whom to forget: exactly one of the keys besides `by`. */
export const forgetSchema = z
  .strictObject({
    by: z.string().min(1).max(64).describe("Who wants it; shown in the log."),
    user: value,
    source: value.describe("An address; with a mask, all who share it."),
    cookie: value.describe("The value of a sticky cookie."),
    header: value,
    query: value,
    host: value,
    share: z.number().gt(0).max(1).exactOptional().describe("Of all whom the pool remembers."),
  })
  .refine(
    ({ by: _, ...whom }) => Object.keys(whom).length === 1,
    "exactly one of user, source, cookie, header, query, host, share",
  )
  .openapi("Forget");

export const forgottenSchema = z
  .object({
    pool: name,
    forgotten: z.number().describe("Entries of the sticky table, or 1 for a single cookie."),
    shareOfCookies: z.number().exactOptional().describe("Of the cookies that browsers have, which nobody can count."),
    dryRun: z.boolean(),
  })
  .openapi("Forgotten") satisfies z.ZodType<ForgetResult>;

/** Which sessions to end: at least one key, and all of them must fit. */
export const selectorSchema = z
  .strictObject({
    id: z.string().max(MAX_ID).optional(),
    user: z.string().max(256).optional(),
    pool: name.optional(),
    server: name.optional(),
  })
  .refine((selector) => Object.values(selector).some((value) => value !== undefined), {
    message: "name at least one of id, user, pool and server",
  })
  .refine((selector) => selector.server === undefined || selector.pool !== undefined, {
    message: "a server is named together with its pool",
  })
  .openapi("SessionSelector");

export const endedSchema = z.object({ ended: z.number(), dryRun: z.literal(true).optional() }).openapi("Ended");

export const tokenRequestSchema = z
  .strictObject({
    pool: name,
    server: name,
    lifetimeMs: z
      .int()
      .min(60_000)
      .max(365 * 86_400_000)
      .optional()
      .describe("How long it leads there: the pool's lifetime at most, and when absent."),
  })
  .openapi("TokenRequest");

export const tokenSchema = z.object({ token: z.string() }).openapi("Token");
