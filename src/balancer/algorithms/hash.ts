import { ADDRESS_BYTES } from "../../protocols/address.ts";
import { MaskedSource } from "../masked-source.ts";
import { algorithm } from "./algorithm.ts";
import { MaglevTable } from "./maglev.ts";

/**
 * By the login where the client sends one that is surely whole, else by its address. A login that may be cut is not used:
 * `contoso\a`, the first nine characters of a whole company, would be one key. O(1) while most servers are usable.
 */
export const hash = algorithm({
  name: "hash",
  prepare: ({ servers, mask }) => {
    const table = new MaglevTable(servers);
    const source = new MaskedSource(mask);
    return {
      pick(request, tried, nowSec) {
        const { client } = request;
        const byUser = client.userLength > 0 && !client.userMayBeCut;
        const key = byUser ? client.user : source.of(client);
        const length = byUser ? client.userLength : ADDRESS_BYTES;
        return table.find(key, 0, length, request, tried, nowSec);
      },
    };
  },
});
