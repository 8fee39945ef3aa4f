/** What an `http` service does besides routing: true addresses, fields, HSTS. */
import { z } from "zod";
import { FORWARDED } from "./choices.ts";
import { duration } from "./quantities.ts";
import { choice, oneOrMany, section, yesNo } from "./section.ts";
import { fieldName, fields } from "./web.ts";

const mode = choice("a way to forward addresses", FORWARDED);

/** `forwarded`: one word, or a mapping. */
export const forwarded = z
  .union([
    mode,
    section("`forwarded`", {
      mode: mode.prefault("replace").describe("As the word alone."),
      standard: yesNo.prefault(false).describe("Also writes `Forwarded` (RFC 7239)."),
    }),
  ])
  .transform((value) => (typeof value === "string" ? { mode: value, standard: false } : value));

const changes = (whose: string) =>
  section("changes of fields", {
    set: fields.prefault({}).describe(`Fields that ${whose} gets, name to value; they take the place of those it has.`),
    remove: oneOrMany(fieldName, 64, 0)
      .prefault([])
      .transform((names) => names.map((name) => name.toLowerCase()))
      .describe("Fields that are taken away."),
  });

/** `headers`: fields that are set and removed. */
export const headers = section("`headers`", {
  request: changes("a request to a server").prefault({}).describe("Requests, before they go to a server."),
  response: changes("an answer to a client").prefault({}).describe("Answers, before they go to the client."),
});

/** `hsts`: a duration, or a mapping. */
export const hsts = z
  .union([
    duration,
    section("`hsts`", {
      "max-age": duration.prefault("365d").describe("Browsers remember it for this long. `0s` makes them forget it."),
      subdomains: yesNo.prefault(false).describe("Also for every host below this one."),
      preload: yesNo.prefault(false).describe("Agrees to be in the lists that browsers are delivered with."),
    }),
  ])
  .transform((value) => (typeof value === "number" ? { maxAge: value, subdomains: false, preload: false } : value));
