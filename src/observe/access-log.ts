/** The access log that the file asks for: who makes the lines of connections, and who those of requests. */
import { AccessLog, type AccessOptions } from "./access.ts";
import { CombinedRequestLog, JsonRequestLog, type RequestLine, type RequestNames } from "./request-lines.ts";

export interface AccessLogOptions extends AccessOptions {
  readonly names: RequestNames;
  /** `combined` is for requests: other connections keep their JSON, and those of HTTP have no line of their own. */
  readonly format: "json" | "combined";
  /** Does the service at this slot speak HTTP? */
  isHttp(service: number): boolean;
}

/** Both kinds of lines; a line is "" where there is none. */
export function accessLines(options: AccessLogOptions): { connections: AccessLog; requests: RequestLine } {
  const { format, isHttp } = options;
  return format === "json"
    ? { connections: new AccessLog(options), requests: new JsonRequestLog(options.names, options.node) }
    : { connections: new AccessLog(options, isHttp), requests: new CombinedRequestLog() };
}
