/** Responses that a server sends to end its answer where the balancer does not, or to make two of one (response splitting). */

export interface ResponseCase {
  readonly name: string;
  /** The method that it answers. */
  readonly method: "GET" | "HEAD" | "POST";
  /** A character a byte; then the server ends its sending. */
  readonly sent: string;
  /** What the client gets, in canonical form; null: 502. */
  readonly passed: string | null;
}

const SECOND = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";
const ok = (fields: string, body = "") => `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${body}`;

function bad(cases: Readonly<Record<string, string>>): ResponseCase[] {
  return Object.entries(cases).map(([name, sent]) => ({ name, method: "GET", sent, passed: null }));
}

export const responses: readonly ResponseCase[] = [
  ...bad({
    "a length and chunks": ok("Content-Length: 5\r\nTransfer-Encoding: chunked", `0\r\n\r\n${SECOND}`),
    "two lengths": ok("Content-Length: 0\r\nContent-Length: 5", "hello"),
    "the same length twice": ok("Content-Length: 5\r\nContent-Length: 5", "hello"),
    "a list of lengths": ok("Content-Length: 5, 5", "hello"),
    "a length with a sign": ok("Content-Length: +5", "hello"),
    "a length with a minus": ok("Content-Length: -1", "hello"),
    "a length that is none": ok("Content-Length: five", "hello"),
    "an empty length": ok("Content-Length:", "hello"),
    "a length of 2^53": ok("Content-Length: 9007199254740992", "hello"),
    "another coding": ok("Transfer-Encoding: gzip", "hello"),
    "chunked and another coding": ok("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"),
    "chunked twice": ok("Transfer-Encoding: chunked, chunked", "0\r\n\r\n"),
    "chunked with a vertical tab": ok("Transfer-Encoding: \x0bchunked", "0\r\n\r\n"),
    "chunks in HTTP/1.0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    Transfer_Encoding: ok("Transfer_Encoding: chunked", "0\r\n\r\n"),
    "a blank before the colon": ok("Content-Length : 5", "hello"),
    "a folded field": ok("X: a\r\n b\r\nContent-Length: 0"),
    "LF for a line's end": "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "LF for the empty line": `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n${SECOND}`,
    "CR within a value": ok("X: a\rSet-Cookie: b\r\nContent-Length: 0"),
    "LF within a value": ok("X: a\nSet-Cookie: b\r\nContent-Length: 0"),
    "a zero byte within a value": ok("X: a\0b\r\nContent-Length: 0"),
    "a name with a blank": ok("Set Cookie: b\r\nContent-Length: 0"),
    "a line without a colon": ok("nonsense\r\nContent-Length: 0"),
    "Connection that names a cookie": ok("Connection: Set-Cookie\r\nSet-Cookie: a=b\r\nContent-Length: 0"),
    "a status of two digits": "HTTP/1.1 20 OK\r\n\r\n",
    "a status of four digits": "HTTP/1.1 2000 OK\r\n\r\n",
    "a status of 600": "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
    "a status of 99": "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
    "a status with a sign": "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n",
    "CR within the phrase": "HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2": "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.2": "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a version in lower case": "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a page without a head": "<html>hello</html>",
    "an empty line in front": `\r\n${ok("Content-Length: 0")}`,
    "a 204 with a length": "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    "a 204 with chunks": "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an interim response with a length": `HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello${SECOND}`,
    "a 101 that nobody has asked for": "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "a head that does not end": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
    nothing: "",
  }),
  {
    name: "an answer and another that nobody has asked for",
    method: "GET",
    sent: ok("Content-Length: 5", `hello${SECOND}`),
    passed: ok("Content-Length: 5", "hello"),
  },
  {
    name: "an answer to HEAD with a body, which is none",
    method: "HEAD",
    sent: ok("Content-Length: 5", "hello"),
    passed: ok("Content-Length: 5"),
  },
  {
    name: "a 304 with a body, which is none",
    method: "GET",
    sent: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
    passed: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
  },
  {
    name: "chunks with extensions and a trailer",
    method: "GET",
    sent: ok("Transfer-Encoding: Chunked", "05;a\r\nhello\r\n0\r\nX: y\r\nContent-Type: z\r\n\r\n"),
    passed: ok("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
  },
  {
    name: "fields for the connection only",
    method: "GET",
    sent: ok(
      "Connection: X-Only, keep-alive\r\nKeep-Alive: timeout=5\r\nX-Only: y\r\nUpgrade: h2c\r\nContent-Length: 0",
    ),
    passed: ok("Content-Length: 0"),
  },
  {
    name: "a coding that Connection names, as some caches do",
    method: "GET",
    sent: ok("Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding", "2\r\nok\r\n0\r\n\r\n"),
    passed: ok("Transfer-Encoding: chunked", "2\r\nok\r\n0\r\n\r\n"),
  },
  {
    name: "an interim response, then the answer",
    method: "GET",
    sent: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok("Content-Length: 2", "ok")}`,
    passed: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok("Content-Length: 2", "ok")}`,
  },
];
