/** Where a redirect of the balancer's own leads. */
import type { RequestHead } from "../../../protocols/http1/request.ts";
import type { AnswerPlan } from "../../plan.ts";

const USUAL_PORTS = { http: 80, https: 443 } as const;
const decoder = new TextDecoder("latin1");

/**
 * The location for one request: its own scheme, host, path and query, but for what the plan replaces. Every byte of them was
 * checked when the head was read, so none can begin another field. `secure`: the client speaks TLS.
 * @returns undefined where the request names no host and the plan has none either.
 */
export function locationFor(
  plan: Extract<AnswerPlan, { kind: "redirect" }>,
  bytes: Uint8Array,
  head: RequestHead,
  secure: boolean,
): string | undefined {
  const text = (from: number, to: number) => decoder.decode(bytes.subarray(from, to));
  const scheme = plan.scheme ?? (secure ? "https" : "http");
  const host = plan.host ?? text(head.hostAt, head.hostNameEnd);
  if (host === "") return undefined;
  const port = plan.port === 0 || plan.port === USUAL_PORTS[scheme] ? "" : `:${plan.port}`;
  const query = head.queryAt > head.pathEnd ? `?${text(head.queryAt, head.queryEnd)}` : "";
  const path = plan.path ?? `${pathOf(text(head.pathAt, head.pathEnd))}${query}`;
  return `${scheme}://${host}${port}${path}`;
}

/** `*` and an absolute target without a path are the root. */
function pathOf(path: string): string {
  return path.startsWith("/") ? path : "/";
}
