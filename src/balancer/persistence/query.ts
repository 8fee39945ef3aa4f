import { findParameter } from "../../protocols/http1/query.ts";
import { Recognised } from "../shared/words.ts";
import { persistence } from "./persistence.ts";
import { byRequestValue } from "./request-value.ts";

/** By the value of a parameter of the URL, as it was sent: `a%20b` and `a+b` are two. */
export const query = persistence({
  name: "query",
  code: Recognised.QUERY,
  prepare: (setting) => {
    const name = new TextEncoder().encode(setting.plan.name);
    return byRequestValue(setting, Recognised.QUERY, ({ bytes, head }, out) =>
      findParameter(bytes, head.queryAt, head.queryEnd, name, out),
    );
  },
});
