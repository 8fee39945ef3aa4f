/** `persistence` of a pool: how a client who comes back is recognised. */
import { COOKIE_MODES, DIRECTORIES, ON_DOWN, RECOGNISED_BY, SAME_SITE } from "./choices.ts";
import { positiveDuration } from "./quantities.ts";
import { choice, oneOrMany, section, text, wholeNumber, yesNo } from "./section.ts";
import { host } from "./web.ts";

/** Without `idle`. */
const IDLE_MS = 8 * 3_600_000;

/** How clients are recognised. What each way needs besides its name, `references.ts` sees to. */
export const persistence = section("`persistence`", {
  by: oneOrMany(choice("a kind of persistence", RECOGNISED_BY), RECOGNISED_BY.length).describe(
    "How a client is recognised, best first: `token` (the routing token that an RDP client sends), `user` (the name in its cookie), `source` (its address); over HTTP also `cookie`, `header`, `query` (a parameter of the URL) and `host`. The first that names a usable server wins.",
  ),
  name: text("a name", 128)
    .optional()
    .describe("Of the cookie, the header or the parameter. Needed for `cookie`, `header` and `query`."),
  mode: choice("a mode of a cookie", COOKIE_MODES)
    .optional()
    .describe(
      "Whose cookie it is. `insert`: our own, signed, which names no address. `learn`: one that the servers set, by its value. `prefix`: one that the servers set, with the server's name in front of it. Default: `insert`.",
    ),
  "same-site": choice("a word for SameSite", SAME_SITE)
    .optional()
    .describe("Of our own cookie: when browsers send it to us from pages of others. Default: `lax`."),
  secure: yesNo
    .optional()
    .describe(
      "Of our own cookie: marked `Secure` for clients that speak TLS. `false` only for clients that would not send it back then, as Lightstreamer's for Node.js. Default: `true`.",
    ),
  domain: host
    .optional()
    .describe("The Domain of our own cookie. Default: none, so only the host that set it gets it."),
  idle: positiveDuration
    .optional()
    .describe(
      "A client is forgotten this long after it was last seen. Default: `8h`, or `lifetime` where that is shorter.",
    ),
  lifetime: positiveDuration
    .prefault("24h")
    .describe(
      "A client is never remembered longer than this, and a signed routing token or cookie is followed no longer.",
    ),
  mask: section("`mask`", {
    ipv4: wholeNumber(0, 32).prefault(32).describe("Leading bits of an IPv4 address that count."),
    ipv6: wholeNumber(0, 128).prefault(64).describe("Leading bits of an IPv6 address that count."),
  })
    .prefault({})
    .describe("How much of the address tells clients apart, for `source`."),
  "on-down": choice("a rule for the clients of a dead server", ON_DOWN)
    .prefault("forget")
    .describe(
      "A dead server's clients: they get another server; `forget` makes that one theirs, `keep` takes them back when the first one is back.",
    ),
  directory: choice("a session directory", DIRECTORIES)
    .optional()
    .describe("Who knows where sessions are. `memory`: what this balancer has seen."),
}).transform(({ idle, mode, sameSite, domain, ...rest }) => ({
  ...rest,
  idle: idle ?? Math.min(IDLE_MS, rest.lifetime),
  mode: mode ?? ("insert" as const),
  sameSite: sameSite ?? ("lax" as const),
  domain: domain?.name,
}));
