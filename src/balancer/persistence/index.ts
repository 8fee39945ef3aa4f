/** The list of persistences. A new one is a file of this folder, a line here and its name in `config/choices.ts`. */
import { cookie } from "./cookie.ts";
import { header } from "./header.ts";
import { host } from "./host.ts";
import type { Persistence } from "./persistence.ts";
import { query } from "./query.ts";
import { source } from "./source.ts";
import { token } from "./token.ts";
import { user } from "./user.ts";

export const PERSISTENCES: readonly Persistence[] = [token, user, source, cookie, header, query, host];

/** The persistence of that name; undefined if there is none. */
export function persistenceNamed(name: string): Persistence | undefined {
  return PERSISTENCES.find((member) => member.name === name);
}
