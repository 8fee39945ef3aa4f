import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DynamicTable } from "../../../src/protocols/http2/dynamic-table.ts";
import { FieldList } from "../../../src/protocols/http2/field-list.ts";
import {
  FIELD_SLACK,
  HPACK_BAD_TABLE_SIZE,
  HPACK_EMPTY,
  HpackDecoder,
} from "../../../src/protocols/http2/hpack-decoder.ts";
import { FIELD_FRAMING, writeField, writeInteger, writeStatus } from "../../../src/protocols/http2/hpack-encoder.ts";
import { decodeHuffman, HUFFMAN_INVALID, HUFFMAN_TOO_LONG } from "../../../src/protocols/http2/huffman.ts";
import { STATIC_ENTRIES, staticName } from "../../../src/protocols/http2/static-table.ts";
import { fieldsOf } from "../../wire/http2/raw.ts";
import { text } from "../bytes.ts";

const list = new FieldList(65_536, FIELD_SLACK);
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));

function read(decoder: HpackDecoder, hex: string): string[] {
  const bytes = bytesOf(hex);
  expect(decoder.read(bytes, 0, bytes.length, list)).toBe(bytes.length);
  return fieldsOf(list);
}

const REQUESTS = [
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"],
  [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"],
];
const DATE = "date: Mon, 21 Oct 2013 20:13:2";
const ANSWERS = [
  [":status: 302", "cache-control: private", `${DATE}1 GMT`, "location: https://www.example.com"],
  [":status: 307", "cache-control: private", `${DATE}1 GMT`, "location: https://www.example.com"],
  [
    ":status: 200",
    "cache-control: private",
    `${DATE}2 GMT`,
    "location: https://www.example.com",
    "content-encoding: gzip",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ],
];

describe("the examples of RFC 7541 Appendix C", () => {
  test("C.2 each form of a field", () => {
    const forms = {
      "400a637573746f6d2d6b65790d637573746f6d2d686561646572": "custom-key: custom-header",
      "040c2f73616d706c652f70617468": ":path: /sample/path",
      "100870617373776f726406736563726574": "password: secret",
      "82": ":method: GET",
    };
    for (const [hex, field] of Object.entries(forms)) expect(read(new HpackDecoder(), hex)).toEqual([field]);
  });

  const sequences: Record<string, [table: number, expected: string[][], ...blocks: string[]]> = {
    "C.3 requests": [
      4096,
      REQUESTS,
      "828684410f7777772e6578616d706c652e636f6d",
      "828684be58086e6f2d6361636865",
      "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ],
    "C.4 requests in Huffman code": [
      4096,
      REQUESTS,
      "828684418cf1e3c2e5f23a6ba0ab90f4ff",
      "828684be5886a8eb10649cbf",
      "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ],
    "C.5 answers, with a table of 256 bytes": [
      256,
      ANSWERS,
      "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
      "4803333037c1c0bf",
      "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    ],
    "C.6 answers in Huffman code": [
      256,
      ANSWERS,
      "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
      "4883640effc1c0bf",
      "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ],
  };
  for (const [name, [table, expected, ...blocks]] of Object.entries(sequences)) {
    test(name, () => {
      const decoder = new HpackDecoder(table);
      expect(blocks.map((hex) => read(decoder, hex))).toEqual(expected);
    });
  }

  test("C.1 integers", () => {
    const into = new Uint8Array(8);
    expect([...into.subarray(0, writeInteger(into, 0, 0, 5, 10))]).toEqual([10]);
    expect([...into.subarray(0, writeInteger(into, 0, 0, 5, 1337))]).toEqual([31, 154, 10]);
    expect([...into.subarray(0, writeInteger(into, 0, 0, 8, 42))]).toEqual([42]);
  });
});

describe("what is written is read again", () => {
  const name = fc.stringMatching(/^[a-z0-9-]{1,40}$/);
  const value = fc.stringMatching(/^[\x20-\x7e]{0,300}$/);

  test("any fields, and the table stays empty", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 20 }), (fields) => {
        const into = new Uint8Array(fields.reduce((sum, [n, v]) => sum + n.length + v.length + FIELD_FRAMING, 0));
        let at = 0;
        for (const [n, v] of fields) {
          const bytes = text(n + v);
          at = writeField(into, at, bytes, 0, n.length, n.length, bytes.length);
        }
        const decoder = new HpackDecoder(0);
        expect(decoder.read(into, 0, at, list)).toBe(at);
        expect(fieldsOf(list)).toEqual(fields.map(([n, v]) => `${n}: ${v}`));
      }),
    );
  });

  test("each status, three digits", () => {
    const into = new Uint8Array(8);
    for (let status = 100; status <= 599; status++) {
      const end = writeStatus(into, 0, status);
      expect(new HpackDecoder().read(into, 0, end, list)).toBe(end);
      expect(fieldsOf(list)).toEqual([`:status: ${status}`]);
    }
  });

  test("a name in upper case becomes one in lower case", () => {
    const bytes = text("X-OneContent-Typea");
    const into = new Uint8Array(64);
    const end = writeField(into, writeField(into, 0, bytes, 0, 5, 17, 18), bytes, 5, 17, 17, 18);
    new HpackDecoder().read(into, 0, end, list);
    expect(fieldsOf(list)).toEqual(["x-one: a", "content-type: a"]);
  });

  test("cookies and credentials are never to be indexed", () => {
    const into = new Uint8Array(64);
    for (const secret of ["set-cookie", "cookie", "authorization", "proxy-authorization"]) {
      writeField(into, 0, text(`${secret}v`), 0, secret.length, secret.length, secret.length + 1);
      expect(into[0]! & 0xf0).toBe(0x10);
    }
  });
});

describe("the static table", () => {
  test("finds each of its names, and no other", () => {
    const first = new Map<string, number>();
    for (let index = 1; index <= STATIC_ENTRIES; index++) {
      const field = read(new HpackDecoder(), (0x80 | index).toString(16))[0]!;
      const name = field.slice(0, field.indexOf(": "));
      if (!first.has(name)) first.set(name, index);
      expect([name, staticName(text(name), 0, name.length)]).toEqual([name, first.get(name)!]);
    }
    expect(first.size).toBe(52);
    for (const name of ["x", "ages", "content-typ", "x-forwarded-for", ":protocol"]) {
      expect(staticName(text(name), 0, name.length)).toBe(0);
    }
  });
});

describe("the dynamic table", () => {
  test("is what a plain list of entries is, whatever is added", () => {
    const entry = fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 200 }));
    const step = fc.oneof(
      entry.map((added) => ({ added })),
      fc.integer({ min: 0, max: 500 }).map((size) => ({ size })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new DynamicTable(500);
        let model: string[] = [];
        let most = 500;
        const shrink = () => {
          while (model.reduce((sum, one) => sum + one.length - 1 + 32, 0) > most) model.pop();
        };
        steps.forEach((one, index) => {
          if ("size" in one) {
            most = one.size;
            table.resize(most);
          } else {
            const letter = String.fromCharCode(97 + (index % 26));
            const [name, value] = one.added;
            const bytes = text(letter.repeat(name + value));
            table.add(bytes, 0, name, name + value);
            model = [`${letter.repeat(name)}:${letter.repeat(value)}`, ...model];
          }
          shrink();
        });
        const found = Array.from({ length: table.count }, (_, i) => {
          const of = (from: number, to: number) => Buffer.from(table.bytes.subarray(from, to)).toString();
          return `${of(table.nameAt(i), table.valueAt(i))}:${of(table.valueAt(i), table.valueEnd(i))}`;
        });
        expect(found).toEqual(model);
      }),
      { numRuns: 300 },
    );
  });
});

describe("limits", () => {
  test("an empty block, and a table size above the limit", () => {
    expect(new HpackDecoder().read(bytesOf(""), 0, 0, list)).toBe(HPACK_EMPTY);
    expect(new HpackDecoder().read(bytesOf("3fe21f"), 0, 3, list)).toBe(HPACK_BAD_TABLE_SIZE);
    expect(new HpackDecoder().read(bytesOf("3fe11f"), 0, 3, list)).toBe(3);
  });

  test("a list above its limit is counted to its end, and the table is right behind it", () => {
    const small = new FieldList(100, FIELD_SLACK);
    const decoder = new HpackDecoder();
    const long = "y".repeat(90);
    const block = Buffer.concat([
      Buffer.from([0x40, 1, 0x61, 0x5a]),
      Buffer.from(long),
      Buffer.from([0x40, 1, 0x62, 1, 0x63, 0x82]),
    ]);
    expect(decoder.read(block, 0, block.length, small)).toBe(block.length);
    expect(small.tooLarge).toBe(true);
    expect(small.count).toBe(0);
    expect(small.size).toBe(32 + 91 + 32 + 2 + 32 + 10);
    expect(read(decoder, "bebf")).toEqual(["b: c", `a: ${long}`]);
  });

  test("a field larger than the table and the room for it empties the table", () => {
    const small = new FieldList(100, FIELD_SLACK);
    const decoder = new HpackDecoder();
    read(decoder, "4001610162");
    const length = Buffer.from([0x7f, 0x81, 0x9c, 0x01]); // 127 + 0x01 + (0x1c << 7) + (1 << 14) = 20,096
    const block = Buffer.concat([Buffer.from([0x40, 1, 0x61]), length, Buffer.alloc(20_096, "z")]);
    expect(decoder.read(block, 0, block.length, small)).toBe(block.length);
    expect(small.tooLarge).toBe(true);
    expect(decoder.read(bytesOf("be"), 0, 1, small)).toBeLessThan(0);
  });
});

describe("Huffman code", () => {
  const decode = (hex: string, room = 64) => {
    const bytes = bytesOf(hex);
    const into = new Uint8Array(room);
    const end = decodeHuffman(bytes, 0, bytes.length, into, 0, room);
    return end < 0 ? end : Buffer.from(into.subarray(0, end)).toString();
  };

  test("its padding is less than a byte of ones", () => {
    expect(decode("f1e3c2e5f23a6ba0ab90f4ff")).toBe("www.example.com");
    expect(decode("f1e3c2e5f23a6ba0ab90f4fe")).toBe(HUFFMAN_INVALID);
    expect(decode("f1e3c2e5f23a6ba0ab90f4ffff")).toBe(HUFFMAN_INVALID);
    expect(decode("")).toBe("");
    expect(decode("ff")).toBe(HUFFMAN_INVALID);
    expect(decode("ffffffff")).toBe(HUFFMAN_INVALID);
  });

  test("what does not fit is told apart", () => {
    expect(decode("f1e3c2e5f23a6ba0ab90f4ff", 15)).toBe("www.example.com");
    expect(decode("f1e3c2e5f23a6ba0ab90f4ff", 14)).toBe(HUFFMAN_TOO_LONG);
  });
});
