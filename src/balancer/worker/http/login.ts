/** Logins that belong to a connection instead of a request: NTLM and Negotiate (RFC 4559). */
import { ascii, startsWith } from "../../../protocols/ascii.ts";
import type { ResponseHead } from "../../../protocols/http1/response.ts";

const WWW_AUTHENTICATE = ascii("www-authenticate");
const SCHEMES = [ascii("ntlm"), ascii("negotiate")];
const UNAUTHORIZED = 401;

/**
 * Does the server begin such a login? Whatever is sent over its connection from now on is the user's, so that nobody else may
 * be served over it.
 */
export function asksWhoConnects(bytes: Uint8Array, { status, fields }: ResponseHead): boolean {
  if (status !== UNAUTHORIZED) return false;
  for (let i = fields.findName(bytes, WWW_AUTHENTICATE); i >= 0; i = fields.findName(bytes, WWW_AUTHENTICATE, i + 1)) {
    for (const scheme of SCHEMES) if (startsWith(bytes, fields.valueAt(i), fields.valueEnd(i), scheme)) return true;
  }
  return false;
}
