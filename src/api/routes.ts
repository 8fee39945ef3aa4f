/** The addresses of the admin API, with what each takes and answers. The OpenAPI document is made from these. */
import { createRoute, z } from "@hono/zod-openapi";
import { PROBLEM_TYPE } from "./problems.ts";
import {
  administrativeResultSchema,
  administrativeSchema,
  dryRunQuery,
  dryRunSchema,
  endedSchema,
  forgetSchema,
  forgottenSchema,
  poolParameters,
  problemSchema,
  reloadSchema,
  selectorSchema,
  serverParameters,
  sessionPageSchema,
  sessionsQuery,
  statusSchema,
  tokenRequestSchema,
  tokenSchema,
} from "./schemas.ts";

const json = <T extends z.ZodType>(description: string, schema: T) => ({
  description,
  content: { "application/json": { schema } },
});
const body = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { "application/json": { schema } },
});
const problem = (description: string) => ({ description, content: { [PROBLEM_TYPE]: { schema: problemSchema } } });

export const statusRoute = createRoute({
  method: "get",
  path: "/api/v1/status",
  summary: "Services, pools, servers and what needs attention",
  responses: { 200: json("The state now", statusSchema) },
});

export const reloadRoute = createRoute({
  method: "post",
  path: "/api/v1/reload",
  summary: "Read the file again and apply it",
  responses: {
    200: json("Applied", reloadSchema),
    422: problem("The file has errors; nothing was changed"),
  },
});

export const administrativeRoute = createRoute({
  method: "post",
  path: "/api/v1/pools/{pool}/servers/{server}/state",
  summary: "Drain a server, put it into maintenance, or back into service",
  request: { params: serverParameters, query: dryRunQuery, body: body(administrativeSchema) },
  responses: {
    200: json("Done, or with dryRun what it would touch", z.union([administrativeResultSchema, dryRunSchema])),
    400: problem("Wrong request"),
    404: problem("No such pool or server"),
    409: problem("No server would be left for new users"),
  },
});

export const sessionsRoute = createRoute({
  method: "get",
  path: "/api/v1/sessions",
  summary: "Whose session is where",
  request: { query: sessionsQuery },
  responses: {
    200: json("One page", sessionPageSchema),
    400: problem("Wrong request"),
    410: problem("The cursor is too old"),
  },
});

export const endSessionsRoute = createRoute({
  method: "post",
  path: "/api/v1/sessions/end",
  summary: "End the connections of sessions",
  request: { query: dryRunQuery, body: body(selectorSchema) },
  responses: {
    200: json("How many were ended, or with dryRun would be", endedSchema),
    400: problem("Wrong request"),
    404: problem("No such pool or server"),
  },
});

export const forgetRoute = createRoute({
  method: "post",
  path: "/api/v1/pools/{pool}/forget",
  summary: "Forget on which server a client belongs, or a share of a pool's clients",
  request: { params: poolParameters, query: dryRunQuery, body: body(forgetSchema) },
  responses: {
    200: json("How many were forgotten, or with dryRun would be; live connections go on", forgottenSchema),
    400: problem("Wrong request, or the pool recognises nobody by that"),
    404: problem("No such pool"),
  },
});

export const tokenRoute = createRoute({
  method: "post",
  path: "/api/v1/tokens",
  summary: "Sign a routing token for .rdp files",
  request: { body: body(tokenRequestSchema) },
  responses: {
    200: json("The token", tokenSchema),
    400: problem("Wrong request"),
    404: problem("No such pool or server"),
    409: problem("The pool would not follow it, or not for that long"),
  },
});

export const eventsRoute = createRoute({
  method: "get",
  path: "/api/v1/events",
  summary: "Events as they happen (server-sent events)",
  responses: {
    200: { description: "A stream without an end", content: { "text/event-stream": { schema: z.string() } } },
  },
});

export const metricsRoute = createRoute({
  method: "get",
  path: "/api/v1/metrics",
  summary: "The Prometheus page",
  request: {
    query: z.object({
      scope: z
        .string()
        .optional()
        .meta({ examples: ["service,pool"] }),
    }),
  },
  responses: {
    200: { description: "Prometheus text", content: { "text/plain": { schema: z.string() } } },
    400: problem("Not a scope"),
  },
});
