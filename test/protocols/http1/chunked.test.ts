import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ChunkedReader, writeChunkSize } from "../../../src/protocols/http1/chunked.ts";
import { NameSet } from "../../../src/protocols/http1/fields.ts";
import { HTTP1_REASONS } from "../../../src/protocols/http1/reasons.ts";
import { show, text } from "../bytes.ts";

const reader = new ChunkedReader();

interface Outcome {
  /** What is passed on. */
  out: string;
  /** What follows the body; "…" while it is not complete. */
  rest: string;
  refused?: string;
  trailers?: string;
}

/** Reads a body in pieces that end at `cuts`, among other bytes. */
function read(body: string, dataOnly = false, cuts: readonly number[] = [], removed?: NameSet): Outcome {
  reader.begin(dataOnly, removed);
  let out = "";
  const ends = [...cuts, body.length].sort((a, b) => a - b);
  let from = 0;
  for (const end of ends) {
    const piece = text(`before${body.slice(from, end)}behind`);
    const used = reader.read(piece, 6, piece.length - 6);
    if (used < 0) return { out, rest: "", refused: HTTP1_REASONS[used]! };
    expect(reader.end).toBeLessThanOrEqual(6 + used);
    expect(show(piece, 0, 6) + show(piece, piece.length - 6)).toBe("beforebehind");
    out += show(piece, 6, reader.end);
    if (reader.done) {
      const trailers = show(reader.trailers);
      return { out: out + show(reader.tail), rest: body.slice(from + used), ...(trailers ? { trailers } : {}) };
    }
    from = end;
  }
  return { out, rest: "…" };
}

describe("a body in chunks", () => {
  test("that is canonical is passed on as it is, and what follows is left", () => {
    const body = "5\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
    expect(read(`${body}GET /`)).toEqual({ out: body, rest: "GET /" });
    expect(reader.dataBytes).toBe(31);
    expect(reader.tail.length).toBe(0);
  });

  test("loses its extensions and the zeros before its sizes", () => {
    expect(read('0005;a=b\r\nhello\r\n6; c="d e"\r\n world\r\n00;last\r\n\r\n')).toEqual({
      out: "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
      rest: "",
    });
  });

  test("is its data where only they are wanted", () => {
    expect(read("5;x\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\nnext", true)).toEqual({
      out: "hello world",
      rest: "next",
      trailers: "A: b\r\n",
    });
  });

  test("keeps trailers, but none that a balancer acts upon or that are removed", () => {
    const trailers = "Digest:x\r\nX-Forwarded-For: 1.2.3.4\r\nCookie: a=b\r\nx_client: c\r\nGrpc-Status: 0\r\n";
    expect(read(`1\r\na\r\n0\r\n${trailers}\r\n`, false, [], new NameSet(["X-Client"]))).toEqual({
      out: "1\r\na\r\n0\r\nDigest: x\r\nGrpc-Status: 0\r\n\r\n",
      rest: "",
      trailers: "Digest: x\r\nGrpc-Status: 0\r\n",
    });
  });

  test("that has no end is not ended", () => {
    for (const body of ["", "5", "5\r", "5\r\nhel", "5\r\nhello\r\n0", "0\r\n", "0\r\n\r", "0\r\nA: b\r\n"])
      expect(read(body).rest).toBe("…");
    expect(read("5\r\nhello\r\n0\r\nA: b\r\n").out).toBe("5\r\nhello\r\n");
  });

  test("is the same in whatever pieces it comes", () => {
    const body =
      '01e;q="1"\r\nabcdefghijklmnopqrstuvwxyzABCD\r\n3\r\nxyz\r\n0000;z\r\nA:b\r\nHeader:  c \r\n\r\nGET / HTTP/1.1';
    for (const dataOnly of [false, true]) {
      const whole = read(body, dataOnly);
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 0, max: body.length })), (cuts) => {
          expect(read(body, dataOnly, cuts)).toEqual(whole);
        }),
      );
    }
  });

  test("that was read and written is read as the same", () => {
    const chunk = fc.tuple(fc.string({ minLength: 1, maxLength: 40 }), fc.constantFrom("", ";a", "; b=c"));
    fc.assert(
      fc.property(fc.array(chunk), (chunks) => {
        const data = chunks.map(([part]) => Buffer.from(part).toString("latin1"));
        const body = `${data.map((part, i) => `${part.length.toString(16)}${chunks[i]![1]}\r\n${part}\r\n`).join("")}0\r\n\r\n`;
        const once = read(body);
        expect(read(once.out)).toEqual(once);
        expect(read(body, true).out).toBe(data.join(""));
      }),
    );
  });
});

describe("a body is refused for", () => {
  const wrong: Record<string, [body: string, reason: string]> = {
    "a size that is empty": ["\r\n", "bad-chunk"],
    "a size that is none": ["x\r\n", "bad-chunk"],
    "a sign": ["+5\r\nhello\r\n", "bad-chunk"],
    "a minus": ["-1\r\n", "bad-chunk"],
    "0x before its size": ["0x5\r\nhello\r\n", "bad-chunk"],
    "a blank before its size": [" 5\r\nhello\r\n", "bad-chunk"],
    "a blank behind its size": ["5 \r\nhello\r\n", "bad-chunk"],
    "a blank before an extension": ["5 ;a\r\nhello\r\n", "bad-chunk"],
    "a size of 2^53": ["20000000000000\r\n", "bad-chunk"],
    "a size of 17 digits": ["00000000000000001\r\n", "bad-chunk"],
    "a size with underscores": ["1_0\r\n", "bad-chunk"],
    "a size that ends in LF": ["5\nhello\r\n", "bad-line-end"],
    "a size that ends in CR": ["5\rhello", "bad-line-end"],
    "data that are longer than their size": ["5\r\nhello!\r\n", "bad-chunk"],
    "data that end in LF": ["5\r\nhello\n", "bad-chunk"],
    "data that end in CR": ["5\r\nhello\rx", "bad-line-end"],
    "an extension that ends in LF": ["5;a\nhello\r\n", "bad-line-end"],
    "an extension with a zero byte": ["5;a\0\r\nhello", "bad-chunk"],
    "an extension of 16 KiB": [`5;${"a".repeat(16_384)}`, "chunk-extension-too-long"],
    "extensions of 16 KiB in all": [`1;${"a".repeat(1000)}\r\nb\r\n`.repeat(17), "chunk-extension-too-long"],
    "a last chunk that ends in LF": ["0\r\n\n", "bad-line-end"],
    "a last chunk that ends in CR": ["0\r\n\rx", "bad-line-end"],
    "a length among its trailers": ["0\r\nContent-Length: 1\r\n\r\n", "bad-trailer"],
    "a coding among its trailers": ["0\r\nTransfer-Encoding: chunked\r\n\r\n", "bad-trailer"],
    "a host among its trailers": ["0\r\nhost: a\r\n\r\n", "bad-trailer"],
    "a length of other spelling": ["0\r\nContent_Length: 1\r\n\r\n", "ambiguous-name"],
    "a folded trailer": ["0\r\nA: b\r\n c\r\n\r\n", "folded-line"],
    "a request among its trailers": ["0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "blank-before-colon"],
    "33 trailers": [`0\r\n${"a: b\r\n".repeat(33)}\r\n`, "trailers-too-long"],
    "trailers of 4 KiB": [`0\r\nA: ${"b".repeat(5000)}`, "trailers-too-long"],
  };
  for (const [what, [body, reason]] of Object.entries(wrong)) {
    test(what, () => {
      for (const dataOnly of [false, true]) {
        expect(read(body, dataOnly).refused).toBe(reason);
        const each = read(
          body,
          dataOnly,
          Array.from({ length: body.length }, (_, i) => i),
        );
        expect(each.refused).toBe(reason);
        expect(each.out).not.toContain("0\r\n");
      }
    });
  }
});

test("a chunk's size is written as it is read", () => {
  const into = new Uint8Array(32);
  const size = (length: number) => show(into, 0, writeChunkSize(into, 0, length));
  expect([1, 15, 16, 255, 65_536, 2 ** 40 + 10].map(size)).toEqual([
    "1\r\n",
    "f\r\n",
    "10\r\n",
    "ff\r\n",
    "10000\r\n",
    "1000000000a\r\n",
  ]);
});
