/** `health` and `agent` of a pool: how Holdfast asks whether a server is alive, and how loaded it is. */
import { z } from "zod";
import { positiveDuration, status } from "./quantities.ts";
import { oneOrMany, section, text, urlPath, wholeNumber, yesNo } from "./section.ts";

const port = wholeNumber(1, 65_535);

/** Without `timeout`. */
const TIMEOUT_MS = 1_000;

function withTimeout<T extends { every: number; timeout?: number | undefined }>(check: T): T & { timeout: number } {
  return { ...check, timeout: check.timeout ?? Math.min(TIMEOUT_MS, Math.ceil(check.every / 2)) };
}

const timing = {
  every: positiveDuration.prefault("2s").describe("Time from one check to the next."),
  timeout: positiveDuration
    .optional()
    .describe(
      "A check that takes longer has failed. Shorter than `every`. Default: `1s`, or half of `every` where that is less.",
    ),
  fall: wholeNumber(1, 100).prefault(3).describe("So many failed checks in a row and the server is down."),
  rise: wholeNumber(1, 100).prefault(2).describe("So many good checks in a row and the server is up again."),
};

const checkedPort = { port: port.optional().describe("The port to check. Default: the server's own.") };

const expectation = section("`expect`", {
  status: oneOrMany(status, 16)
    .prefault("200-399")
    .describe("The statuses that are good: `200`, `200-399`, or a list."),
  body: text("text to find").optional().describe("Text that the first 64 KiB of the body must contain."),
});

const web = {
  ...timing,
  ...checkedPort,
  path: urlPath.prefault("/").describe("What is asked for, with its query."),
  host: text("a host name", 253).optional().describe("The Host header. Default: the server's address."),
  expect: expectation.prefault({}).describe("What a good answer looks like."),
};

/** How a pool's servers are checked. */
export const healthCheck = z
  .discriminatedUnion("check", [
    section("a `tcp` check", {
      check: z.literal("tcp").describe("The server accepts a connection."),
      ...timing,
      ...checkedPort,
    }),
    section("an `rdp` check", {
      check: z.literal("rdp").describe("The server answers an X.224 Connection Request. No session is made."),
      ...timing,
      ...checkedPort,
    }),
    section("an `http` check", { check: z.literal("http").describe("The server answers a GET."), ...web }),
    section("an `https` check", {
      check: z.literal("https").describe("The server answers a GET over TLS."),
      ...web,
      verify: yesNo
        .optional()
        .describe(
          "Whether the server's certificate must be a valid one, for the `name` of the pool's `tls`, else `host`. Default: as that `tls` says, else `true`.",
        ),
    }),
    section("an `exec` check", {
      check: z.literal("exec").describe("A program ends with 0."),
      ...timing,
      command: z
        .array(text("an argument"))
        .min(1)
        .max(64)
        .meta({ title: "a program and its arguments", expected: "a list: the program and its arguments" })
        .describe(
          "The program and its arguments; there is no shell. It finds HOLDFAST_POOL, HOLDFAST_SERVER, HOLDFAST_ADDRESS and HOLDFAST_PORT in its environment, and is killed at `timeout`.",
        ),
    }),
  ])
  .meta({ title: "a health check" })
  .transform(withTimeout);

const asking = {
  every: positiveDuration.prefault("2s").describe("Time from one question to the next."),
  timeout: positiveDuration
    .optional()
    .describe(
      "Longest wait for an answer. Without one, nothing changes. Default: `1s`, or half of `every` where that is less.",
    ),
};

/** How a pool's servers say how loaded they are. */
export const agentCheck = z
  .discriminatedUnion("kind", [
    section("a `number` agent", {
      kind: z
        .literal("number")
        .describe("HTTP; the first line is the load, 0 to 100. 99 and 100: no new clients; 101: down; 102: disabled."),
      port: port.prefault(8_090).describe("The agent's port on the server."),
      path: urlPath.prefault("/load").describe("What is asked for."),
      ...asking,
    }),
    section("a `text` agent", {
      kind: z.literal("text").describe("A line over TCP with the words of HAProxy's agent-check, such as `up 75%`."),
      port: port.prefault(3_333).describe("The agent's port on the server."),
      send: text("text to send").optional().describe("What is sent first. Default: nothing."),
      ...asking,
    }),
  ])
  .meta({ title: "an agent" })
  .transform(withTimeout);
