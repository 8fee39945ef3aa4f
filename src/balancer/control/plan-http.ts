/** The HTTP part of a plan: fields, limits, and what the balancer itself answers. Pure. */
import type { Route, Service } from "../../config/schema.ts";
import type { AnswerPlan, Field, HttpPlan } from "../plan.ts";

type FixedAnswer = Extract<AnswerPlan, { kind: "fixed" }>;

/** When a client may try again after the page for when no server can be had, seconds. */
const RETRY_AFTER = "10";

/** What an HTTP service does besides routing. */
export function planHttp(service: Service): HttpPlan {
  const { forwarded, headers, hsts, limits, timeouts, sorry } = service;
  return {
    forwarded,
    requestId: service.requestId,
    setRequest: headers.request.set,
    removeRequest: headers.request.remove,
    setResponse: hsts ? [...headers.response.set, strictTransport(hsts)] : headers.response.set,
    removeResponse: headers.response.remove,
    limits: {
      head: limits.head,
      target: limits.target,
      fields: limits.fields,
      requestsPerSource: limits.requestsPerSource?.count ?? 0,
      requestsPerSourceMs: limits.requestsPerSource?.perMs ?? 0,
      concurrentPerSource: limits.concurrentPerSource ?? 0,
      bodyRate: limits.bodyRate,
      streams: limits.streams,
    },
    timeouts: { keepAlive: timeouts.keepAlive, body: timeouts.body },
    sorry: sorry ? planSorry(sorry) : null,
  };
}

/** RFC 6797 6.1. */
function strictTransport({ maxAge, subdomains, preload }: NonNullable<Service["hsts"]>): Field {
  const words = [
    `max-age=${Math.floor(maxAge / 1000)}`,
    ...(subdomains ? ["includeSubDomains"] : []),
    ...(preload ? ["preload"] : []),
  ];
  return { name: "Strict-Transport-Security", value: words.join("; ") };
}

function planSorry(sorry: NonNullable<Service["sorry"]>): FixedAnswer {
  const answer = planFixed(sorry);
  const isTold = answer.fields.some(({ name }) => name.toLowerCase() === "retry-after");
  if (sorry.status !== 503 || isTold) return answer;
  return { ...answer, fields: [...answer.fields, { name: "Retry-After", value: RETRY_AFTER }] };
}

/** What the balancer itself answers on a route; undefined where a pool does. */
export function planAnswer({ redirect, respond }: Route): AnswerPlan | undefined {
  if (respond) return planFixed(respond);
  if (redirect === undefined) return undefined;
  const { to, port, status } = redirect;
  return {
    kind: "redirect",
    status,
    scheme: to.scheme,
    ...(to.host !== undefined && { host: to.host }),
    port: port ?? to.port ?? 0,
    ...(to.path !== undefined && { path: to.path }),
  };
}

function planFixed({ status, body, file, type, headers }: NonNullable<Route["respond"]>): FixedAnswer {
  const content = file ? file.bytes : new TextEncoder().encode(body ?? "");
  return { kind: "fixed", status, contentType: type, body: content, fields: headers };
}
