import { ADDRESS_BYTES, ipv4Number } from "../../protocols/address.ts";
import type { Candidate } from "../candidate.ts";
import { type Client, TokenKind } from "../client.ts";
import { Reason, Recognised } from "../shared/words.ts";
import { persistence } from "./persistence.ts";
import { groupByNumber, ServersByFingerprint } from "./servers-by-fingerprint.ts";

/**
 * By the routing token: the client itself carries where it belongs, so nothing is remembered here. Only a server of the
 * pool is ever followed; an address that is none of theirs would make the balancer an open relay. A signed token ends with
 * the pool's lifetime; Microsoft's says nothing of its age.
 */
export const token = persistence({
  name: "token",
  code: Recognised.TOKEN,
  prepare: ({ servers, lifetimeSec }) => {
    const byAddress = groupByNumber(servers, (server) => addressKey(server.plan.address, server.plan.port));
    const byFingerprint = new ServersByFingerprint(servers);
    return {
      recognise(client, nowSec) {
        switch (client.token) {
          case TokenKind.NONE:
            return 0;
          case TokenKind.ADDRESS:
            return idOf(atAddress(byAddress.get(addressKey(client.tokenAddress, client.tokenPort)), client));
          case TokenKind.SIGNED:
            if (lifetimeSec !== 0 && nowSec - client.tokenIssuedSec >= lifetimeSec) return -Reason.FORGOTTEN;
            return idOf(byFingerprint.find(client.tokenServerHigh, client.tokenServerLow));
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
