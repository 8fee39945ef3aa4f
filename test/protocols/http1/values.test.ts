import { describe, expect, test } from "bun:test";
import { findCookie, findSetCookie } from "../../../src/protocols/http1/cookies.ts";
import { checkHost, copyHostName, MAX_HOST } from "../../../src/protocols/http1/host.ts";
import { findParameter } from "../../../src/protocols/http1/query.ts";
import { RequestHead, readRequestHead } from "../../../src/protocols/http1/request.ts";
import { PROXIED, ResponseHead, readResponseHead } from "../../../src/protocols/http1/response.ts";
import { show, text } from "../bytes.ts";

const span = { at: 0, end: 0 };

describe("a cookie", () => {
  function cookie(fields: string[], name: string): string | null {
    const bytes = text(`GET / HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `Cookie: ${field}\r\n`).join("")}\r\n`);
    const head = new RequestHead();
    expect(readRequestHead(bytes, 0, bytes.length, { head: 4096, target: 99, fields: 20 }, head)).toBe(bytes.length);
    return findCookie(bytes, head.fields, text(name), span) ? show(bytes, span.at, span.end) : null;
  }

  test("is found by its whole name, whatever is around it", () => {
    expect(cookie(["a=1; srv=two; b=3"], "srv")).toBe("two");
    expect(cookie(["srv=1"], "srv")).toBe("1");
    expect(cookie(["a=1;srv=2;b=3"], "srv")).toBe("2");
    expect(cookie(["a=1; ; srv = 2 ;"], "srv")).toBe("2");
    expect(cookie(["srv2=1; xsrv=2; SRV=3"], "srv")).toBe(null);
    expect(cookie(["a=srv=1; srv"], "srv")).toBe(null);
    expect(cookie([], "srv")).toBe(null);
  });

  test("is the first of several, in one field or in more", () => {
    expect(cookie(["a=1", "srv=2; srv=3", "srv=4"], "srv")).toBe("2");
  });

  test("has its value without quotes, and may have none", () => {
    expect(cookie(['srv="x y"'], "srv")).toBe("x y");
    expect(cookie(['srv="'], "srv")).toBe('"');
    expect(cookie(["srv=; a=b"], "srv")).toBe("");
    expect(cookie(["srv=a=b="], "srv")).toBe("a=b=");
  });
});

describe("a cookie that a server sets", () => {
  const out = { index: 0, valueAt: 0, valueEnd: 0 };
  function set(lines: string[], name: string): [index: number, value: string] | null {
    const bytes = text(`HTTP/1.1 200 OK\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`);
    const head = new ResponseHead();
    expect(readResponseHead(bytes, 0, bytes.length, PROXIED, head)).toBe(bytes.length);
    return findSetCookie(bytes, head.fields, text(name), out)
      ? [out.index, show(bytes, out.valueAt, out.valueEnd)]
      : null;
  }

  test("is the last of its name", () => {
    const lines = ["Set-Cookie: sid=1; Path=/", "A: b", 'set-cookie: sid="2"; HttpOnly', "Set-Cookie: other=3; sid=4"];
    expect(set(lines, "sid")).toEqual([2, "2"]);
    expect(set(lines, "Path")).toBe(null);
  });
});

describe("a parameter", () => {
  const value = (query: string, name: string) => {
    const bytes = text(`?${query}#`);
    return findParameter(bytes, 1, bytes.length - 1, text(name), span) ? show(bytes, span.at, span.end) : null;
  };

  test("is found by its whole name, the first counts", () => {
    expect(value("id=7", "id")).toBe("7");
    expect(value("a=1&id=7&id=8", "id")).toBe("7");
    expect(value("aid=1&ide=2&i=3&id", "id")).toBe("");
    expect(value("id&id=1", "id")).toBe("");
    expect(value("&&id=a%20b=c&", "id")).toBe("a%20b=c");
    expect(value("ida", "id")).toBe(null);
    expect(value("", "id")).toBe(null);
    expect(value("x=id=1", "id")).toBe(null);
  });
});

describe("a host", () => {
  /** Its name and what follows; null if it is none. */
  const host = (characters: string) => {
    const bytes = text(`[${characters}1`);
    const end = checkHost(bytes, 1, bytes.length - 1);
    return end < 0 ? null : [show(bytes, 1, end), show(bytes, end, bytes.length - 1)];
  };

  test("is a name or an address, with a port or without", () => {
    expect(host("a")).toEqual(["a", ""]);
    expect(host("WWW.Example.com.:8443")).toEqual(["WWW.Example.com.", ":8443"]);
    expect(host("my_app-1.local")).toEqual(["my_app-1.local", ""]);
    expect(host("192.0.2.1:80")).toEqual(["192.0.2.1", ":80"]);
    expect(host("[2001:db8::1]:65535")).toEqual(["[2001:db8::1]", ":65535"]);
    expect(host("[::1]")).toEqual(["[::1]", ""]);
    expect(host("a".repeat(255))).toEqual(["a".repeat(255), ""]);
  });

  test("is nothing else", () => {
    for (const wrong of [
      "",
      ".",
      ".a",
      "a..b",
      ":80",
      "a:",
      "a:0",
      "a:080",
      "a:65536",
      "a:123456",
      "a:8x",
      "a:80:80",
      "a b",
      "a,b",
      "a/b",
      "a\\b",
      "a@b",
      "a#b",
      "a?b",
      "a%2eb",
      "a\0",
      "ä",
      "[::1",
      "[::1]x",
      "[1.2.3.4]",
      "[fe80::1%eth0]",
      "[]",
      "::1",
      "a".repeat(256),
    ])
      expect([wrong, host(wrong)]).toEqual([wrong, null]);
  });

  test("is compared in lower case and without its last dot", () => {
    const into = new Uint8Array(MAX_HOST);
    const bytes = text("Www.Example.COM.");
    expect(show(into, 0, copyHostName(bytes, 0, bytes.length, into, 0))).toBe("www.example.com");
  });
});
