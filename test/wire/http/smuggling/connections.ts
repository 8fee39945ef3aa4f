/** What holds for one connection only: options, upgrades, expectations, pipelining. RFC 9110 7.6.1, 7.8, 10.1.1. */
import { get, PLAIN, passed, post, refused, SMUGGLED, type SmugglingCase } from "./case.ts";

const WEBSOCKET = "Upgrade: websocket\r\nConnection: Upgrade";
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13";

export const connections: readonly SmugglingCase[] = [
  ...refused({
    "Connection names the client's address": get("X-Forwarded-For: 1.2.3.4\r\nConnection: close, X-Forwarded-For"),
    "Connection names the client's scheme": get("Connection: x-forwarded-proto"),
    "Connection names the client's host": get("Connection: X-Forwarded-Host"),
    "Connection names it with underscores": get("Connection: x_forwarded_for"),
    "Connection names Forwarded": get("Connection: Forwarded"),
    "Connection names the host": get("Connection: Host"),
    "Connection names the length": post("Content-Length: 34\r\nConnection: Content-Length", SMUGGLED),
    "Connection names cookies": get("Cookie: a=b\r\nConnection: Cookie"),
    "Connection names who may": get("Authorization: Basic x\r\nConnection: authorization"),
    "Connection names our own name for the request": get("Connection: X-Request-Id"),
    "Connection names an expectation": post("Content-Length: 1\r\nConnection: expect\r\nExpect: 100-continue", "x"),
    "a Connection with a blank in it": get("Connection: close x"),
    "a Connection in quotes": get('Connection: "close"'),
    "a Connection with a zero byte": get("Connection: close\0"),
    "a Connection of 33 options": get(`Connection: ${Array.from({ length: 33 }, (_, i) => `x${i}`).join(",")}`),
  }),
  ...refused(
    {
      "an expectation that nobody knows": get("Expect: 200-ok", SMUGGLED),
      "an empty expectation": get("Expect:", SMUGGLED),
      "an expectation behind a letter": post("Content-Length: 34\r\nExpect: y 100-continue", SMUGGLED),
      "an expectation and more": post("Content-Length: 34\r\nExpect: 100-continue, 100-continue", SMUGGLED),
      "an expectation with a parameter": post("Content-Length: 34\r\nExpect: 100-continue;a", SMUGGLED),
      "an expectation with an underscore": post("Content-Length: 34\r\nExpect: 100_continue", SMUGGLED),
      "two expectations": post("Content-Length: 34\r\nExpect: 100-continue\r\nExpect: 100-continue", SMUGGLED),
    },
    417,
  ),
  ...passed({
    "Connection names a field that nobody knows": [get("X-Only: y\r\nConnection: X-Only\r\nA: b"), get("A: b")],
    "Connection names it in another case, before it": [get("Connection: x-ONLY\r\nX-Only: y\r\nA: b"), get("A: b")],
    "Connection names it with an underscore": [get("Connection: x_only\r\nX-Only: y\r\nA: b"), get("A: b")],
    "Connection names the coding, which is written anew": [
      post("Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding", `0\r\n\r\n${PLAIN}`),
      post("Transfer-Encoding: chunked", "0\r\n\r\n"),
      PLAIN,
    ],
    "Connection in two fields": [
      get("Connection: X-A\r\nConnection: X-B\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3"),
      get("X-C: 3"),
    ],
    "an empty Connection": [get("Connection:\r\nA: b"), get("A: b")],
    "a Connection of commas": [get("Connection: ,, keep-alive ,\r\nA: b"), get("A: b")],
    "fields of old proxies": [get("Proxy-Connection: close\r\nKeep-Alive: 300\r\nA: b", PLAIN), get("A: b"), PLAIN],
    "an expectation without a body": [get("Expect: 100-continue", PLAIN), PLAIN, PLAIN],
    "what a client accepts of codings": [get("TE: gzip, chunked\r\nConnection: TE\r\nA: b"), get("A: b")],
    "h2c: a beginning of HTTP/2 in clear text": [
      get("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings", SMUGGLED),
      PLAIN,
      SMUGGLED,
    ],
    "h2c in capitals": [get("Upgrade: H2C\r\nConnection: upgrade"), PLAIN],
    "h2c with a version": [get("Upgrade: h2c-14\r\nConnection: upgrade"), PLAIN],
    "h2c in a list": [get("Upgrade: websocket, h2c\r\nConnection: upgrade"), PLAIN],
    "h2c in a second field": [get("Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: upgrade"), PLAIN],
    "an upgrade that Connection does not name": [get("Upgrade: websocket"), PLAIN],
    "an upgrade to nothing": [get("Upgrade:\r\nConnection: upgrade"), PLAIN],
    "an upgrade with a zero-length protocol in quotes": [get('Upgrade: ""\r\nConnection: upgrade'), PLAIN],
    "an upgrade with a body": [
      post(`${WEBSOCKET}\r\n${KEY}\r\nContent-Length: ${SMUGGLED.length}`, SMUGGLED),
      post(`${KEY}\r\nContent-Length: ${SMUGGLED.length}`, SMUGGLED),
    ],
    "an upgrade with chunks": [
      post(`${WEBSOCKET}\r\nTransfer-Encoding: chunked`, "1\r\nx\r\n0\r\n\r\n"),
      post("Transfer-Encoding: chunked", "1\r\nx\r\n0\r\n\r\n"),
    ],
    "a WebSocket that a server does not open is a request, and what follows is another": [
      get(`${KEY}\r\n${WEBSOCKET}`, SMUGGLED),
      get(`${KEY}\r\n${WEBSOCKET}`),
      SMUGGLED,
    ],
    "a WebSocket with a key that is none": [
      get(`Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 777\r\n${WEBSOCKET}`, PLAIN),
      get(`Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 777\r\n${WEBSOCKET}`),
      PLAIN,
    ],
    "three requests in one piece": [
      `${PLAIN}${post("Content-Length: 5", "hello")}${PLAIN}`,
      PLAIN,
      post("Content-Length: 5", "hello"),
      PLAIN,
    ],
    "chunks between two requests": [
      `${PLAIN}${post("Transfer-Encoding: chunked", "1\r\nx\r\n0\r\n\r\n")}${PLAIN}`,
      PLAIN,
      post("Transfer-Encoding: chunked", "1\r\nx\r\n0\r\n\r\n"),
      PLAIN,
    ],
    "twenty requests in one piece": [PLAIN.repeat(20), ...Array.from({ length: 20 }, () => PLAIN)],
  }),
  ...passed(
    {
      "a request behind the last one": [get("Connection: close", SMUGGLED), PLAIN],
      "a request behind the last one, which wants to be kept too": [
        get("Connection: close, keep-alive", SMUGGLED),
        PLAIN,
      ],
      "an upgrade in HTTP/1.0": [
        `GET / HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n${SMUGGLED}`,
        PLAIN,
      ],
      "an expectation in HTTP/1.0": [
        `POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello${SMUGGLED}`,
        post("Content-Length: 5", "hello"),
      ],
    },
    "closed",
  ),
  ...passed({ "a good request, then a bad one": [`${PLAIN}GET / HTTP/1.1\r\nHost : b\r\n\r\n`, PLAIN] }, 400),
  ...passed({ "a good request, then HTTP/2": [`${PLAIN}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, PLAIN] }, 505),
  ...passed(
    {
      "a body, then two empty lines": [
        `${post("Content-Length: 5", "hello")}\r\n\r\n${PLAIN}`,
        post("Content-Length: 5", "hello"),
      ],
    },
    400,
  ),
];
