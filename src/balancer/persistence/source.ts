import { ADDRESS_BYTES } from "../../protocols/address.ts";
import { MaskedSource } from "../masked-source.ts";
import { Recognised } from "../shared/words.ts";
import { Memory } from "./memory.ts";
import { persistence } from "./persistence.ts";

/** By the client's address, or the part of it that the pool's mask leaves: all behind it share what is remembered. */
export const source = persistence({
  name: "source",
  code: Recognised.SOURCE,
  prepare: (setting) => {
    const memory = new Memory(setting, Recognised.SOURCE);
    const masked = new MaskedSource(setting.mask);
    return {
      recognise(client, nowSec) {
        return memory.find(masked.of(client), 0, ADDRESS_BYTES, nowSec);
      },
      remember(client, server, nowSec) {
        memory.remember(masked.of(client), 0, ADDRESS_BYTES, server, nowSec);
      },
      touch(client, nowSec) {
        memory.touch(masked.of(client), 0, ADDRESS_BYTES, nowSec);
      },
      forget(client) {
        memory.forget(masked.of(client), 0, ADDRESS_BYTES);
      },
    };
  },
});
