import type { Client } from "../client.ts";
import { Reason, Recognised } from "../shared/words.ts";
import { Memory } from "./memory.ts";
import { persistence } from "./persistence.ts";

/**
 * By the login in the client's cookie (`mstshash`). A login that may be cut is nobody's: two users share it. It is sent
 * unproven, so it decides where a client lands and never what they may do there.
 */
export const user = persistence({
  name: "user",
  code: Recognised.USER,
  prepare: (setting) => {
    const memory = new Memory(setting, Recognised.USER);
    return {
      recognise(client, nowSec) {
        if (client.userLength === 0) return 0;
        if (client.userMayBeCut) return -Reason.USER_MAY_BE_CUT;
        return memory.find(client.user, 0, client.userLength, nowSec);
      },
      remember(client, server, nowSec) {
        if (isIdentity(client)) memory.remember(client.user, 0, client.userLength, server, nowSec);
      },
      touch(client, nowSec) {
        if (isIdentity(client)) memory.touch(client.user, 0, client.userLength, nowSec);
      },
      forget(client) {
        if (isIdentity(client)) memory.forget(client.user, 0, client.userLength);
      },
    };
  },
});

function isIdentity(client: Client): boolean {
  return client.userLength > 0 && !client.userMayBeCut;
}
