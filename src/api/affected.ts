/** Whom a change of a server's administrative state touches. Pure. */
import type { AdministrativeState, PoolStatus, ServerStatus } from "../balancer/control/balancer.ts";
import type { Affected } from "./schemas.ts";

const takesNew = (server: ServerStatus) => server.state === "up" || server.state === "starting";

/** What `state` on `server` would mean for the pool's users. New users go to backups only where no other server is left. */
export function affectedBy(pool: PoolStatus, server: ServerStatus, state: AdministrativeState): Affected {
  const usable = pool.servers.filter((other) => (other === server ? state === "ready" : takesNew(other)));
  const primaries = usable.filter((other) => !other.backup);
  return {
    newUsersGoTo: (primaries.length > 0 ? primaries : usable).map((other) => other.name),
    lastUsable: usable.length === 0 && takesNew(server),
    open: server.open,
    ...server.sessions,
  };
}
