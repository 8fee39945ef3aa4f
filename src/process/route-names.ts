/** What logs call the routes of a service: what a route asks for, in the words of the file. */
import type { Service } from "../config/schema.ts";
import { formatCidr } from "../protocols/address.ts";

type Route = Service["routes"][number];

/** A name for each route of the service's plan, in its order: one for each host that a route of the file names. */
export function routeNames(service: Service): string[] {
  return service.routes.flatMap((route) => {
    const hosts = route.host ?? route.sni;
    return hosts === undefined
      ? [routeName(route, "")]
      : hosts.map(({ name, wildcard }) => routeName(route, wildcard ? `*.${name}` : name));
  });
}

/** `*.example.test/app x-beta=1 10.0.0.0/8`; `*` for a route for everybody. */
function routeName({ path = "", header, source, collection }: Route, host: string): string {
  const field = header && (header.value === undefined ? header.name : `${header.name}=${header.value}`);
  const parts = [`${host}${path}`, field, collection, source?.map(formatCidr).join(",")];
  return parts.filter(Boolean).join(" ") || "*";
}
