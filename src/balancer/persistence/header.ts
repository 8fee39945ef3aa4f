import { ascii } from "../../protocols/ascii.ts";
import { Recognised } from "../shared/words.ts";
import { persistence } from "./persistence.ts";
import { byRequestValue } from "./request-value.ts";

/** By the value of a request's field, the first of its name. */
export const header = persistence({
  name: "header",
  code: Recognised.HEADER,
  prepare: (setting) => {
    const name = ascii(setting.plan.name.toLowerCase());
    return byRequestValue(setting, Recognised.HEADER, ({ bytes, head }, out) => {
      const index = head.fields.findName(bytes, name);
      if (index < 0) return false;
      out.at = head.fields.valueAt(index);
      out.end = head.fields.valueEnd(index);
      return true;
    });
  },
});
