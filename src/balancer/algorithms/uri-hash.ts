import { ADDRESS_BYTES } from "../../protocols/address.ts";
import { MaskedSource } from "../masked-source.ts";
import { algorithm } from "./algorithm.ts";
import { MaglevTable } from "./maglev.ts";

/**
 * By the path of the URL, without the query and as it was sent: each server of caches has its own part of what there is.
 * Where there is no path (no HTTP, `*`), by the client's address. O(1) while most servers are usable.
 */
export const uriHash = algorithm({
  name: "uri-hash",
  prepare: ({ servers, mask }) => {
    const table = new MaglevTable(servers);
    const source = new MaskedSource(mask);
    return {
      pick(request, tried, nowSec) {
        const { client } = request;
        const http = client.request;
        if (http === null || http.head.pathEnd === http.head.pathAt) {
          return table.find(source.of(client), 0, ADDRESS_BYTES, request, tried, nowSec);
        }
        return table.find(http.bytes, http.head.pathAt, http.head.pathEnd, request, tried, nowSec);
      },
    };
  },
});
