/** What both versions of the PROXY protocol (haproxy.org, proxy-protocol.txt) say: who connected to whom. */
import { ADDRESS_BYTES } from "../address.ts";
import type { Reasons } from "../result.ts";

/** `family` of a header. UNKNOWN_FAMILY: the addresses of the connection itself hold (v1 UNKNOWN, v2 LOCAL, UNIX, …). */
export const UNKNOWN_FAMILY = 0;
export const IPV4_FAMILY = 4;
export const IPV6_FAMILY = 6;

/** Bounds: 107 bytes for version 1 (its specification), 4,096 for version 2 (ours; it allows 65,551). */
export const MAX_PROXY_V1 = 107;
export const MAX_PROXY_V2 = 4096;
export const MAX_PROXY_HEADER = MAX_PROXY_V2;

export const NOT_PROXY = -1;
export const PROXY_TOO_LONG = -2;
export const PROXY_BAD_VERSION = -3;
export const PROXY_BAD_FAMILY = -4;
export const PROXY_BAD_LENGTH = -5;
export const PROXY_BAD_ADDRESS = -6;
export const PROXY_BAD_PORT = -7;
export const PROXY_BAD_LINE = -8;
export const PROXY_REASONS: Reasons = {
  [NOT_PROXY]: "not-proxy",
  [PROXY_TOO_LONG]: "too-long",
  [PROXY_BAD_VERSION]: "bad-version",
  [PROXY_BAD_FAMILY]: "bad-family",
  [PROXY_BAD_LENGTH]: "bad-length",
  [PROXY_BAD_ADDRESS]: "bad-address",
  [PROXY_BAD_PORT]: "bad-port",
  [PROXY_BAD_LINE]: "bad-line",
};

/** Addresses in the 16-byte form of address.ts, ports as numbers. With UNKNOWN_FAMILY only `version` and `local` mean something. */
export interface ProxyHeader {
  version: number;
  /** The proxy speaks for itself (v2 LOCAL): a health check, not a client. */
  local: boolean;
  family: number;
  readonly source: Uint8Array;
  sourcePort: number;
  readonly destination: Uint8Array;
  destinationPort: number;
}

export function newProxyHeader(): ProxyHeader {
  return {
    version: 0,
    local: false,
    family: UNKNOWN_FAMILY,
    source: new Uint8Array(ADDRESS_BYTES),
    sourcePort: 0,
    destination: new Uint8Array(ADDRESS_BYTES),
    destinationPort: 0,
  };
}
