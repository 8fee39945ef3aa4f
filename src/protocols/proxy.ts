/**
 * The PROXY protocol (haproxy.org, proxy-protocol.txt): who the client behind a proxy is. Read only from peers that the
 * service trusts; both versions are told apart by their first byte.
 */
import { NOT_PROXY, type ProxyHeader } from "./proxy/header.ts";
import { readProxyV1 } from "./proxy/v1.ts";
import { readProxyV2 } from "./proxy/v2.ts";
import { NEED_MORE } from "./result.ts";

export * from "./proxy/header.ts";
export { PROXY_V1_UNKNOWN, writeProxyV1 } from "./proxy/v1.ts";
export { MAX_WRITTEN_V2, PROXY_V2_LOCAL, writeProxyV2 } from "./proxy/v2.ts";

const P = 0x50;
const CR = 0x0d;

/**
 * Reads a PROXY header of either version in `bytes[from, to)`. Bound: MAX_PROXY_HEADER, 4,096 bytes (107 for version 1).
 * @returns bytes used (> 0, `out` is filled), NEED_MORE (0), or a reason (< 0). Never throws, allocates or reads past `to`.
 */
export function readProxyHeader(bytes: Uint8Array, from: number, to: number, out: ProxyHeader): number {
  if (from >= to) return NEED_MORE;
  if (bytes[from] === P) return readProxyV1(bytes, from, to, out);
  if (bytes[from] === CR) return readProxyV2(bytes, from, to, out);
  return NOT_PROXY;
}
