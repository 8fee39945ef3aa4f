/** Names of fields that one server reads and another does not. RFC 9112 5.1, RFC 9110 5.1. */
import { get, passed, refused, SMUGGLED, type SmugglingCase } from "./case.ts";

const field = (line: string) => get(line, SMUGGLED);

export const names: readonly SmugglingCase[] = [
  ...refused({
    "a blank before the colon": field("X : y"),
    "a tab before the colon": field("X\t: y"),
    "a blank in a name": field("X Y: z"),
    "a blank before the colon of Content-Length": field("Content-Length : 34"),
    "a blank before the colon of Host": `GET / HTTP/1.1\r\nHost : a\r\n\r\n${SMUGGLED}`,
    "no name": field(": y"),
    "no name and no value": field(":"),
    "no colon": field("nonsense"),
    "a colon at the end of a name that is none": field("a[b]: c"),
    "a name with a slash": field("a/b: c"),
    "a name with a comma": field("a,b: c"),
    "a name with brackets": field("a(b): c"),
    "a name with an at sign": field("a@b: c"),
    "a name with a backslash": field("a\\b: c"),
    "a name in quotes": field('"a": c'),
    "a name with a zero byte": field("a\0b: c"),
    "a name with CR": field("a\rb: c"),
    "a name with LF": field("a\nb: c"),
    "a name of another alphabet": field("\xe4: c"),
    "a name with DEL": field("a\x7f: c"),
    "a no-break space before the colon": field("Content-Length\xa0: 34"),
    "a request line where a field should be": field("GET /smuggled HTTP/1.1"),
    "transfer_encoding in lower case": field("transfer_encoding: chunked"),
    "a length with an underscore behind a name like a host's": field("Ho_st: b\r\ncontent_length: 34"),
  }),
  ...refused({ "101 fields": get(Array.from({ length: 100 }, () => "A: b").join("\r\n")) }, 431),
  ...refused({ "a name without end": `GET / HTTP/1.1\r\nHost: a\r\n${"x".repeat(70_000)}` }, 431),
  ...refused({ "a value without end": `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(70_000)}` }, 431),
  ...passed({
    "X_Forwarded_For does not pass for X-Forwarded-For": [get("X_Forwarded_For: 1.2.3.4\r\nA: b"), get("A: b")],
    "x-forwarded_proto neither": [get("x-forwarded_proto: https"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    "a name of all that is allowed": [get("!#$%&'*+-.^_`|~09azAZ: b"), get("!#$%&'*+-.^_`|~09azAZ: b")],
    "the same name often": [get("A: 1\r\na: 2\r\nA: 3"), get("A: 1\r\na: 2\r\nA: 3")],
  }),
];
