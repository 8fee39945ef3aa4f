/** Sessions for people: filtered, a page at a time. */
import { HoldfastError } from "../../errors.ts";
import { columnOfId, parseConnectionId } from "../shared/record.ts";
import type { RecognisedBy } from "../shared/words.ts";
import type { Session, SessionFilter, SessionPage, SessionSelector } from "./balancer.ts";
import type { DirectorySession } from "./directory.ts";

/** Does every key that the selector has fit the session? */
function matches(session: DirectorySession, selector: SessionSelector & { state?: string }): boolean {
  return (
    (selector.id === undefined || session.id === selector.id || session.connections.includes(selector.id)) &&
    (selector.user === undefined || session.user === selector.user.toLowerCase()) &&
    (selector.pool === undefined || session.pool === selector.pool) &&
    (selector.server === undefined || session.server === selector.server) &&
    (selector.state === undefined || session.state === selector.state)
  );
}

/** The open connections of the sessions that the selector fits: their numbers, by the column of their worker. */
export function connectionsOf(
  sessions: readonly DirectorySession[],
  selector: SessionSelector,
): ReadonlyMap<number, readonly number[]> {
  const byColumn = new Map<number, number[]>();
  for (const session of sessions) {
    if (!matches(session, selector)) continue;
    for (const id of session.connections) {
      const parsed = parseConnectionId(id);
      if (parsed === undefined) continue;
      const column = columnOfId(parsed.high);
      const numbers = byColumn.get(column);
      if (numbers === undefined) byColumn.set(column, [parsed.low]);
      else numbers.push(parsed.low);
    }
  }
  return byColumn;
}

/** One page in the directory's order. The cursor is the last session of the page before, so pages never overlap. */
export function pageOf(sessions: readonly DirectorySession[], filter: SessionFilter): SessionPage {
  let from = 0;
  if (filter.cursor !== undefined) {
    const cursor = decode(filter.cursor);
    const last = sessions.findIndex(({ id }) => id === cursor);
    if (last < 0) throw new HoldfastError("api/old-cursor", "the session where this page begins is no longer known");
    from = last + 1;
  }
  const items: Session[] = [];
  let at = from;
  for (; at < sessions.length && items.length < filter.limit; at++) {
    if (matches(sessions[at]!, filter)) items.push(describe(sessions[at]!));
  }
  const more = sessions.slice(at).some((session) => matches(session, filter));
  return { items, next: more && items.length > 0 ? encode(items.at(-1)!.id) : null };
}

const encode = (id: string) => Buffer.from(id).toString("base64url");
const decode = (cursor: string) => Buffer.from(cursor, "base64url").toString();

function describe(session: DirectorySession): Session {
  const connection = session.connections.at(-1);
  return {
    id: session.id,
    user: session.user,
    state: session.state,
    service: session.service,
    pool: session.pool,
    server: session.server,
    since: new Date(session.sinceMs).toISOString(),
    lastSeen: new Date(session.lastSeenMs).toISOString(),
    from: session.from,
    recognisedBy: session.recognisedBy as RecognisedBy,
    ...(connection !== undefined && { connection }),
    bytesIn: session.bytesIn,
    bytesOut: session.bytesOut,
  };
}
