import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MAX_USER, mayBeCut, normaliseUser, normaliseUserName } from "../../../src/protocols/rdp/user.ts";
import { show, text } from "../bytes.ts";

describe("the same user", () => {
  test("in capitals", () => expect(normaliseUserName("ALICE")).toBe("alice"));
  test("with spaces around", () => expect(normaliseUserName("  Alice ")).toBe("alice"));
  test("on this machine", () => expect(normaliseUserName(".\\Alice")).toBe("alice"));
  test("on this machine, with a space", () => expect(normaliseUserName(".\\ Alice")).toBe("alice"));
  test("with a domain in capitals", () => expect(normaliseUserName("CORP\\Alice")).toBe("corp\\alice"));
  test("with a DNS domain in capitals", () =>
    expect(normaliseUserName("Alice@Corp.Example")).toBe("alice@corp.example"));
});

test("a domain's user, a mail-like name and a plain name are three users", () => {
  const names = ["corp\\alice", "alice@corp", "alice"].map(normaliseUserName);
  expect(new Set(names).size).toBe(3);
});

test("letters outside ASCII are kept as they are", () => expect(normaliseUserName("JÜRGEN")).toBe("jÜrgen"));

describe("nobody", () => {
  const nobody = ["", "   ", "CORP\\", "\\alice", "@corp", "alice@", ".\\", "ali\0ce", "a".repeat(MAX_USER + 1)];
  for (const name of nobody) {
    test(JSON.stringify(name.slice(0, 12)), () => expect(normaliseUserName(name)).toBeUndefined());
  }
});

describe("may be cut", () => {
  const cut = (name: string) => mayBeCut(text(name), 0, name.length);
  test("nine characters: mstsc sends no more", () => expect(cut("administr")).toBe(true));
  test("nine characters that end in a space", () => expect(cut("john doe ")).toBe(true));
  test("eight characters are the whole name", () => expect(cut("john.doe")).toBe(false));
  test("ten characters are the whole name: only FreeRDP sends so many", () => expect(cut("john.smith")).toBe(false));
  test("more than nine bytes in another alphabet", () => expect(cut("j\u00fcrgen.mayer")).toBe(true));
  test("a byte of 80h, the euro sign of Windows, is not ASCII", () => expect(cut("\u0080uro.mayer")).toBe(true));
});

test("bytes and text give the same, nothing outside the given room is written, and doing it twice changes nothing", () => {
  const part = fc.constantFrom("a", "B", "\\", "@", ".", " ", "é", "\u0007", "9");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
      const bytes = new TextEncoder().encode(parts.join(""));
      const into = new Uint8Array(100).fill(0xee);
      const length = normaliseUser(bytes, 0, bytes.length, into, 5);
      expect(into.subarray(0, 5).every((byte) => byte === 0xee)).toBe(true);
      expect(into.subarray(5 + length).every((byte) => byte === 0xee || length === 0)).toBe(true);
      const name = normaliseUserName(parts.join(""));
      expect(name === undefined ? "" : show(new TextEncoder().encode(name))).toBe(show(into, 5, 5 + length));
      if (name !== undefined) expect(normaliseUserName(name)).toBe(name);
    }),
  );
});
