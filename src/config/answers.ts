/** What the balancer itself answers: redirects, fixed answers, and the page for when no server can be had. */
import { extname } from "node:path";
import { z } from "zod";
import { file, section, wholeNumber } from "./section.ts";
import { fields, fieldValue, redirectTarget } from "./web.ts";

/** Longest `body`; longer ones are a `file`. */
const MAX_BODY_TEXT = 65_536;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".htm": "text/html; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".xml": "application/xml",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
};

/** A redirect. */
export const redirect = section("a redirect", {
  to: redirectTarget.describe(
    "`https`: the same host, path and query over TLS. `http`: likewise without. Or a URL; one without a path keeps path and query.",
  ),
  port: wholeNumber(1, 65_535).optional().describe("With `https` or `http`: to this port. Default: 443 or 80."),
  status: z
    .literal([301, 302, 303, 307, 308])
    .meta({ title: "the status of a redirect" })
    .prefault(308)
    .describe("`308` and `301` are for good, `307` and `302` for now. `308` and `307` keep the method of the request."),
});

function answer(title: string, status: number) {
  return section(title, {
    status: wholeNumber(200, 599).prefault(status).describe("The status of the answer."),
    body: z
      .string()
      .max(MAX_BODY_TEXT)
      .meta({ title: "text", expected: `text of at most ${MAX_BODY_TEXT} characters` })
      .optional()
      .describe("The answer's text."),
    file: file.optional().describe("A file that is the answer, at most 1 MiB. Read again at each reload."),
    type: fieldValue
      .optional()
      .describe("The Content-Type. Default: what the name of `file` says; for `body`, `text/plain; charset=utf-8`."),
    headers: fields.prefault({}).describe("More fields of the answer, name to value."),
  }).transform(({ type, ...rest }) => ({ ...rest, type: type ?? typeOf(rest.file?.path) }));
}

function typeOf(path: string | undefined): string {
  return (path === undefined ? TYPES[".txt"] : TYPES[extname(path).toLowerCase()]) ?? "application/octet-stream";
}

/** A fixed answer. */
export const respond = answer("an answer", 200);

/** The answer where no server can be had. */
export const sorry = answer("`sorry`", 503);
