import { copyClientHost, MAX_HOST } from "../host-name.ts";
import { Recognised } from "../shared/words.ts";
import { Memory } from "./memory.ts";
import { persistence } from "./persistence.ts";

/**
 * By the host that is asked for, without case, port and last dot: all who ask for it share a server. Where TLS passes
 * through, it is the name in the handshake (SNI).
 */
export const host = persistence({
  name: "host",
  code: Recognised.HOST,
  prepare: (setting) => {
    const memory = new Memory(setting, Recognised.HOST);
    const name = new Uint8Array(MAX_HOST);
    return {
      recognise(client, nowSec) {
        const length = copyClientHost(client, name);
        return length > 0 ? memory.find(name, 0, length, nowSec) : 0;
      },
      remember(client, server, nowSec) {
        const length = copyClientHost(client, name);
        if (length > 0) memory.remember(name, 0, length, server, nowSec);
      },
      touch(client, nowSec) {
        const length = copyClientHost(client, name);
        if (length > 0) memory.touch(name, 0, length, nowSec);
      },
      forget(client) {
        const length = copyClientHost(client, name);
        if (length > 0) memory.forget(name, 0, length);
      },
    };
  },
});
