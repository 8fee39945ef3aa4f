import { describe, expect, test } from "bun:test";
import { serve } from "./smuggling/at-the-parsers.ts";
import { corpus } from "./smuggling/index.ts";

test("the corpus has more than 200 cases, each with a name of its own", () => {
  expect(corpus.length).toBeGreaterThan(200);
  const names = corpus.map((one) => one.name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

describe("refused, or passed on with the same boundaries for everyone:", () => {
  for (const { name, sent, requests, end } of corpus) {
    test(name, () => {
      expect(serve(sent)).toEqual({ requests, end });
    });
  }
});

test("in whatever pieces it comes, a case ends in the same way", () => {
  for (const { name, sent, requests, end } of corpus) {
    // A long head is read anew with each piece.
    for (const step of sent.length > 5000 ? [1000, 4096] : [1, 2, 7]) {
      expect([name, serve(sent, step)]).toEqual([name, { requests, end }]);
    }
  }
});

test("what is passed on is passed on as it is by a second balancer", () => {
  for (const { name, requests } of corpus) {
    for (const request of requests)
      expect([name, serve(request)]).toEqual([name, { requests: [request], end: "open" }]);
  }
});
