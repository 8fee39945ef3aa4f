/** `routes` of a service: which clients or requests go where. */
import { z } from "zod";
import { redirect, respond } from "./answers.ts";
import { network } from "./quantities.ts";
import { oneOrMany, reference, section, text } from "./section.ts";
import { fieldName, fieldValue, host, pathPrefix } from "./web.ts";

/** One pool or several, best first. */
export const poolList = oneOrMany(reference("the name of a pool"), 16);

const hosts = oneOrMany(host, 1_000);

/** A route. Of `pool`, `redirect` and `respond` it has one, which `references.ts` sees to. */
export const route = section("a route", {
  host: hosts
    .optional()
    .describe(
      "Only for requests to this host, or these: exact, or `*.example.test` for every host below it. Only for `http`.",
    ),
  path: pathPrefix
    .optional()
    .describe(
      "Only for paths that begin with this, by whole parts: `/app` is for `/app` and `/app/x`, not for `/apple`. Only for `http`.",
    ),
  header: section("`header`", {
    name: fieldName.transform((name) => name.toLowerCase()).describe("The name of the field."),
    value: fieldValue.optional().describe("Its whole value. Default: any."),
  })
    .optional()
    .describe("Only for requests with this field. Only for `http`."),
  sni: hosts
    .optional()
    .describe(
      "Only for clients that ask for this name in the handshake of TLS, or these: exact, or `*.example.test`. Only for `tls`.",
    ),
  source: oneOrMany(network, 256).optional().describe("Only for clients from these networks. Default: everyone."),
  collection: text("the name of a collection", 128)
    .optional()
    .describe("Only for RDP clients whose routing token names this collection (`tsv://`)."),
  pool: poolList.optional().describe("The pool, or several, best first: the first that has a usable server."),
  server: reference("the name of a server")
    .optional()
    .describe("Always this server of the pool, also while it drains."),
  redirect: redirect.optional().describe("Sends the client elsewhere. Only for `http`."),
  respond: respond.optional().describe("Answers by itself. Only for `http`."),
}).transform(({ pool, ...rest }) => ({ ...rest, pool: pool ?? [] }));

/** Routes, in no order: the most specific wins. */
export const routes = z.array(route).min(1).max(1_000).meta({ title: "a list of routes" });

/** A route as the program has it. */
export type RouteOutput = z.output<typeof route>;
