/** What a node says about a request that curl makes through the balancer. */
import { type CurlAnswer, curl } from "../curl.ts";
import { PUSH, type Stage } from "./stage.ts";

/** Of the example. */
const COOKIE = "HFID";

/** One request from an address that nobody has had. */
export function who(
  stage: Stage,
  host: string = PUSH,
  headers: Readonly<Record<string, string>> = {},
): Promise<CurlAnswer> {
  return curl(`https://${host}:${stage.port}/who`, {
    ca: stage.authority.file,
    hosts: stage.hosts,
    from: stage.newAddress(),
    headers,
  });
}

/** The node that answered. */
export const nodeOf = (answer: CurlAnswer): string => JSON.parse(answer.body).node;

/** The line that sets the sticky cookie; undefined: it is not set. */
export const cookieOf = (answer: CurlAnswer): string | undefined =>
  answer.fields.get("set-cookie")?.find((line) => line.startsWith(`${COOKIE}=`));

/** "name=value" of a line that sets a cookie, as it is sent back. */
export const sentBack = (line: string): { readonly Cookie: string } => ({ Cookie: line.split(";")[0]! });
