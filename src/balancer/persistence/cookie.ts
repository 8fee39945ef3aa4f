import { Recognised } from "../shared/words.ts";
import { insertedCookie } from "./cookie-insert.ts";
import { learnedCookie } from "./cookie-learn.ts";
import { prefixedCookie } from "./cookie-prefix.ts";
import { persistence } from "./persistence.ts";

/** By a cookie: our own, one that the server sets, or the server's with the server's name in front of it. */
export const cookie = persistence({
  name: "cookie",
  code: Recognised.COOKIE,
  prepare: (setting) => {
    switch (setting.plan.mode) {
      case "insert":
        return insertedCookie(setting);
      case "learn":
        return learnedCookie(setting);
      case "prefix":
        return prefixedCookie(setting);
    }
  },
});
