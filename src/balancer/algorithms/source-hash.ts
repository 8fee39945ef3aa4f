import { ADDRESS_BYTES } from "../../protocols/address.ts";
import { MaskedSource } from "../masked-source.ts";
import { algorithm } from "./algorithm.ts";
import { MaglevTable } from "./maglev.ts";

/** By the client's address, masked as for persistence by source. O(1) while most servers are usable. */
export const sourceHash = algorithm({
  name: "source-hash",
  prepare: ({ servers, mask }) => {
    const table = new MaglevTable(servers);
    const source = new MaskedSource(mask);
    return {
      pick(request, tried, nowSec) {
        return table.find(source.of(request.client), 0, ADDRESS_BYTES, request, tried, nowSec);
      },
    };
  },
});
