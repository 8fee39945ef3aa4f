import { ADDRESS_BYTES, ipv4Number } from "../../protocols/address.ts";
import type { Candidate } from "../candidate.ts";
import { type Client, TokenKind } from "../client.ts";
import { Reason, Recognised } from "../shared/words.ts";
import { persistence } from "./persistence.ts";

/**
 * By the routing token: the client itself carries where it belongs, so nothing is remembered here. Only a server of the
 * pool is ever followed; an address that is none of theirs would make the balancer an open relay. A signed token ends with
 * the pool's lifetime; Microsoft's says nothing of its age.
 */
export const token = persistence({
  name: "token",
  code: Recognised.TOKEN,
  prepare: ({ servers, lifetimeSec }) => {
    const byAddress = group(servers, (server) => addressKey(server.plan.address, server.plan.port));
    const byFingerprint = group(servers, (server) => server.plan.tokenLow | 0);
    return {
      recognise(client, nowSec) {
        switch (client.token) {
          case TokenKind.NONE:
            return 0;
          case TokenKind.ADDRESS:
            return idOf(atAddress(byAddress.get(addressKey(client.tokenAddress, client.tokenPort)), client));
          case TokenKind.SIGNED:
            if (lifetimeSec !== 0 && nowSec - client.tokenIssuedSec >= lifetimeSec) return -Reason.FORGOTTEN;
            return idOf(withFingerprint(byFingerprint.get(client.tokenServerLow | 0), client));
          default:
            return -Reason.TOKEN_INVALID;
        }
      },
      remember() {},
      touch() {},
      forget() {},
    };
  },
});

function idOf(server: Candidate | undefined): number {
  return server === undefined ? -Reason.TOKEN_UNKNOWN_SERVER : server.plan.id;
}

/** Groups by a number that few share; the rest is compared. In the order of the file. */
function group(servers: readonly Candidate[], keyOf: (server: Candidate) => number): Map<number, Candidate[]> {
  const groups = new Map<number, Candidate[]>();
  for (const server of servers) {
    const alike = groups.get(keyOf(server));
    if (alike === undefined) groups.set(keyOf(server), [server]);
    else alike.push(server);
  }
  return groups;
}

/** The last four bytes of the address and the port in one number. */
function addressKey(address: Uint8Array, port: number): number {
  return ipv4Number(address) * 0x1_0000 + port;
}

function atAddress(alike: readonly Candidate[] | undefined, client: Client): Candidate | undefined {
  if (alike === undefined) return undefined;
  for (let i = 0; i < alike.length; i++) if (sameAddress(alike[i]!.plan.address, client.tokenAddress)) return alike[i];
  return undefined;
}

function sameAddress(one: Uint8Array, other: Uint8Array): boolean {
  for (let i = 0; i < ADDRESS_BYTES; i++) if (one[i] !== other[i]) return false;
  return true;
}

function withFingerprint(alike: readonly Candidate[] | undefined, client: Client): Candidate | undefined {
  if (alike === undefined) return undefined;
  const high = client.tokenServerHigh | 0;
  for (let i = 0; i < alike.length; i++) if ((alike[i]!.plan.tokenHigh | 0) === high) return alike[i];
  return undefined;
}
