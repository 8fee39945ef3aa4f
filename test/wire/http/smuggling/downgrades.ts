/**
 * Requests of HTTP/2 that would be another request, or two, once they are written as HTTP/1.1 (RFC 9113 8.2, 8.3, 10.3), as
 * lists of fields. Each is a stream that is reset, or refused with a status, or arrives as exactly one request.
 */

export interface DowngradeCase {
  readonly name: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** What comes in DATA; absent: END_STREAM with the fields. */
  readonly data?: string;
  readonly trailers?: readonly (readonly [name: string, value: string])[];
  /** The request in HTTP/1.1 as a server gets it, a body in chunks where no length is told; null: refused. */
  readonly request: string | null;
}

type Fields = DowngradeCase["fields"];

/** Pseudo-fields of a good request, some of them replaced; undefined: left out. */
function request(change: Readonly<Record<string, string | undefined>>, ...more: Fields): Fields {
  const all: Record<string, string | undefined> = {
    method: "GET",
    scheme: "https",
    authority: "a",
    path: "/",
    ...change,
  };
  const pseudo = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [[`:${name}`, value] as const],
  );
  return [...pseudo, ...more];
}

function refused(cases: Readonly<Record<string, Fields>>, data?: string): DowngradeCase[] {
  return Object.entries(cases).map(([name, fields]) => ({
    name,
    fields,
    ...(data === undefined ? {} : { data }),
    request: null,
  }));
}

const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = { method: "POST" };

export const downgrades: readonly DowngradeCase[] = [
  ...refused({
    "H2.TE: a coding": request(POST, ["transfer-encoding", "chunked"]),
    "H2.TE: identity": request(POST, ["transfer-encoding", "identity"]),
    "H2: connection": request({}, ["connection", "close"]),
    "H2: connection that names the client's address": request({}, ["connection", "x-forwarded-for"]),
    "H2: keep-alive": request({}, ["keep-alive", "timeout=5"]),
    "H2: proxy-connection": request({}, ["proxy-connection", "close"]),
    "H2: upgrade": request({}, ["upgrade", "websocket"]),
    "H2: te that is not trailers": request({}, ["te", "chunked"]),
    "H2: CR and LF in a value": request({}, ["x", "y\r\nz: w"]),
    "H2: a coding behind CR and LF in a value": request(POST, ["x", "y\r\ntransfer-encoding: chunked"]),
    "H2: a whole request in a value": request({}, ["x", `y\r\n\r\n${SMUGGLED}`]),
    "H2: LF in a value": request({}, ["x", "y\nz: w"]),
    "H2: CR in a value": request({}, ["x", "y\rz: w"]),
    "H2: a zero byte in a value": request({}, ["x", "y\0"]),
    "H2: a blank before a value": request({}, ["x", " y"]),
    "H2: a blank behind a value": request({}, ["x", "y "]),
    "H2: a tab behind a value": request({}, ["x", "y\t"]),
    "H2: CR and LF in a name": request({}, ["x: y\r\nz", "w"]),
    "H2: a colon in a name": request({}, ["x: y", "z"]),
    "H2: a colon before a name": request({}, [":x", "y"]),
    "H2: a blank in a name": request({}, ["x y", "z"]),
    "H2: a blank behind a name": request(POST, ["transfer-encoding ", "chunked"]),
    "H2: an empty name": request({}, ["", "x"]),
    "H2: a name in capitals": request({}, ["X-Y", "z"]),
    "H2: Transfer-Encoding in capitals": request(POST, ["Transfer-Encoding", "chunked"]),
    "H2: a zero byte in a name": request({}, ["x\0", "y"]),
    "H2: a name of another alphabet": request({}, ["x\xe4", "y"]),
    "H2: transfer_encoding": request(POST, ["transfer_encoding", "chunked"]),
    "H2: content_length": request(POST, ["content_length", "34"]),
    "H2: a blank in the method": request({ method: "GET /smuggled HTTP/1.1" }),
    "H2: CR and LF in the method": request({ method: "GET / HTTP/1.1\r\nX: y\r\n\r\nGET" }),
    "H2: a method in lower case": request({ method: "get" }),
    "H2: no method": request({ method: undefined }),
    "H2: an empty method": request({ method: "" }),
    "H2: a blank in the path": request({ path: "/ HTTP/1.1" }),
    "H2: CR and LF in the path": request({ path: "/ HTTP/1.1\r\nX: y" }),
    "H2: a tab in the path": request({ path: "/a\tb" }),
    "H2: a fragment in the path": request({ path: "/a#b" }),
    "H2: an empty path": request({ path: "" }),
    "H2: no path": request({ path: undefined }),
    "H2: a path without a slash": request({ path: "x" }),
    "H2: a whole URL for a path": request({ path: "http://b/" }),
    "H2: an asterisk for GET": request({ path: "*" }),
    "H2: a path of another alphabet": request({ path: "/\xe4" }),
    "H2: a zero byte in the path": request({ path: "/\0" }),
    "H2: no scheme": request({ scheme: undefined }),
    "H2: a scheme with a path in it": request({ scheme: "http://b/x?" }),
    "H2: CR and LF in the authority": request({ authority: "a\r\nX: y" }),
    "H2: a blank in the authority": request({ authority: "a b" }),
    "H2: a path in the authority": request({ authority: "a/b" }),
    "H2: a user in the authority": request({ authority: "u@a" }),
    "H2: a port in the authority that is none": request({ authority: "a:x" }),
    "H2: no authority and no host": request({ authority: undefined }),
    "H2: a host that is not the authority": request({}, ["host", "b"]),
    "H2: two hosts": request({ authority: undefined }, ["host", "a"], ["host", "b"]),
    "H2: a bad host": request({ authority: undefined }, ["host", "a/b"]),
    "H2: two methods": [...request({}), [":method", "POST"]],
    "H2: two paths": [[":path", "/x"], ...request({})],
    "H2: two authorities": [[":authority", "b"], ...request({})],
    "H2: a pseudo-field behind a field": [...request({ path: undefined }, ["x", "y"]), [":path", "/"]],
    "H2: a pseudo-field of responses": [...request({}), [":status", "200"]],
    "H2: a pseudo-field that nobody knows": [...request({}), [":x", "y"]],
    "H2: a protocol without CONNECT": [...request({}), [":protocol", "websocket"]],
    "H2: CONNECT with a path": request({ method: "CONNECT", authority: "a:80" }),
    "H2: two lengths": request(POST, ["content-length", "0"], ["content-length", "5"]),
    "H2: an expectation that nobody knows": request(POST, ["expect", "200-ok"]),
  }),
  ...refused(
    {
      "H2.CL: a length that is shorter than the body": request(POST, ["content-length", "3"]),
      "H2.CL: a length of 0 and a body": request(POST, ["content-length", "0"]),
      "H2.CL: a length that is longer than the body": request(POST, ["content-length", "100"]),
      "H2.CL: a length that is none": request(POST, ["content-length", "x"]),
      "H2.CL: a length with a sign": request(POST, ["content-length", "+5"]),
      "H2.CL: a list of lengths": request(POST, ["content-length", "5, 5"]),
      "H2.CL: a GET whose length is too short": request({}, ["content-length", "1"]),
    },
    "hello",
  ),
  {
    name: "H2: a pseudo-field among trailers",
    fields: request(POST),
    data: "hello",
    trailers: [[":path", "/x"]],
    request: null,
  },
  {
    name: "H2: CR and LF among trailers",
    fields: request(POST),
    data: "hello",
    trailers: [["x", "y\r\n\r\nGET /smuggled HTTP/1.1"]],
    request: null,
  },
  {
    name: "H2: a length and the client's address among trailers",
    fields: request(POST),
    data: "hello",
    trailers: [
      ["content-length", "5"],
      ["x-forwarded-for", "1.2.3.4"],
      ["digest", "x"],
    ],
    request: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ndigest: x\r\n\r\n",
  },
  {
    name: "H2: a request as it should be",
    fields: request({ path: "/a?b" }, ["x", "y"]),
    request: "GET /a?b HTTP/1.1\r\nHost: a\r\nx: y\r\n\r\n",
  },
  {
    name: "H2: cookies in crumbs",
    fields: request({}, ["cookie", "a=b"], ["cookie", "c=d"]),
    request: "GET / HTTP/1.1\r\nHost: a\r\ncookie: a=b; c=d\r\n\r\n",
  },
  {
    name: "H2: a body that looks like the last chunk and a request",
    fields: request(POST),
    data: `0\r\n\r\n${SMUGGLED}`,
    request: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${(5 + SMUGGLED.length).toString(16)}\r\n0\r\n\r\n${SMUGGLED}\r\n0\r\n\r\n`,
  },
  {
    name: "H2: a length that is right",
    fields: request(POST, ["content-length", "5"]),
    data: "hello",
    request: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
  },
  {
    name: "H2: OPTIONS of the server",
    fields: request({ method: "OPTIONS", path: "*" }),
    request: "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
  },
];
