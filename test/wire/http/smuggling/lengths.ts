/** Two ways to say how long a body is, and lengths that are none (CL.TE, TE.CL, CL.CL). RFC 9112 6.1-6.3. */
import { get, PLAIN, passed, post, refused, SMUGGLED, type SmugglingCase } from "./case.ts";

/** A body that ends at once for who believes in chunks, and holds a request for who believes in the length. */
const CHUNKS_END = `0\r\n\r\n${SMUGGLED}`;
const chunked = "Transfer-Encoding: chunked";
const length = (value: string) => post(`Content-Length: ${value}`, SMUGGLED);

export const lengths: readonly SmugglingCase[] = [
  ...refused({
    "CL.TE: a length, then chunks": post(`Content-Length: 41\r\n${chunked}`, CHUNKS_END),
    "TE.CL: chunks, then a length": post(
      `${chunked}\r\nContent-Length: 4`,
      "25\r\nGET /smuggled HTTP/1.1\r\nX: y\r\n0\r\n\r\n",
    ),
    "CL.TE: a length of 0": post(`Content-Length: 0\r\n${chunked}`, CHUNKS_END),
    "CL.TE: a length that is right too": post(`Content-Length: 5\r\n${chunked}`, "0\r\n\r\n"),
    "CL.TE: a length that is none": post(`Content-Length: x\r\n${chunked}`, CHUNKS_END),
    "CL.TE: an empty length": post(`Content-Length:\r\n${chunked}`, CHUNKS_END),
    "CL.TE: a coding that nobody knows": post(`Content-Length: 5\r\nTransfer-Encoding: x`, CHUNKS_END),
    "CL.TE: an empty coding": post("Content-Length: 5\r\nTransfer-Encoding:", CHUNKS_END),
    "CL.TE: identity": post("Content-Length: 5\r\nTransfer-Encoding: identity", CHUNKS_END),
    "CL.TE: in a GET": get(`Content-Length: 41\r\n${chunked}`, CHUNKS_END),
    "CL.TE: names in lower case": post("content-length: 41\r\ntransfer-encoding: chunked", CHUNKS_END),
    "CL.TE: with other fields between them": post(`Content-Length: 41\r\nX: y\r\nZ: w\r\n${chunked}`, CHUNKS_END),
    "CL.TE: in HTTP/1.0": `POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 41\r\n${chunked}\r\n\r\n${CHUNKS_END}`,
    "CL.TE: a length that Connection names": post(
      `Connection: Content-Length\r\nContent-Length: 41\r\n${chunked}`,
      CHUNKS_END,
    ),
    "CL.TE: a coding that Connection names": post(
      `Connection: Transfer-Encoding\r\nContent-Length: 41\r\n${chunked}`,
      CHUNKS_END,
    ),
    "CL.CL: two lengths": post("Content-Length: 0\r\nContent-Length: 34", SMUGGLED),
    "CL.CL: two lengths the other way round": post("Content-Length: 34\r\nContent-Length: 0", SMUGGLED),
    "CL.CL: the same length twice": post("Content-Length: 0\r\nContent-Length: 0"),
    "CL.CL: a list of two": length("0, 34"),
    "CL.CL: a list of the same": length("0, 0"),
    "CL.CL: a list that begins empty": length(", 34"),
    "CL.CL: a list that ends empty": length("34,"),
    "CL.CL: the second one is empty": post("Content-Length: 0\r\nContent-Length:", SMUGGLED),
    "CL.CL: three of them, far apart": post(
      "Content-Length: 0\r\nA: b\r\nContent-Length: 0\r\nC: d\r\ncontent-length: 34",
      SMUGGLED,
    ),
    "a length with a plus": length("+34"),
    "a length with a minus": length("-34"),
    "minus nothing": length("-0"),
    "a length in hexadecimal": length("0x22"),
    "a length with letters behind it": length("34abc"),
    "a length with a letter in it": length("3e1"),
    "a length with a dot": length("34.0"),
    "a length with zeros in front": length("0034"),
    "many zeros": length("00"),
    "a length with a blank in it": length("3 4"),
    "a length with a tab in it": length("3\t4"),
    "a length in quotes": length('"34"'),
    "a length with an underscore": length("3_4"),
    "a length with a semicolon": length("34;q=1"),
    "a length in full-width digits": length("\xef\xbc\x93\xef\xbc\x94"),
    "a length of 2^53": length("9007199254740992"),
    "a length of 2^64 and 34": length("18446744073709551650"),
    "a length of 2^32 and 34 with a sign": length("+4294967330"),
    "a length of a hundred digits": length("1".repeat(100)),
    "an empty length": length(""),
    "a length of blanks": length("   "),
    "a length behind a vertical tab": length("\x0b34"),
    "a length behind a form feed": length("\x0c34"),
    "a length before a zero byte": length("34\0"),
    "a body for TRACE": `TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 34\r\n\r\n${SMUGGLED}`,
    "chunks for CONNECT": `CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n${chunked}\r\n\r\n${CHUNKS_END}`,
    "Content_Length, which CGI takes for a length": post("Content_Length: 34", SMUGGLED),
    "content_length beside a length": post("Content-Length: 0\r\ncontent_length: 34", SMUGGLED),
  }),
  ...passed({
    "a GET with a body": [
      `GET / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
      `GET / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    ],
    "a body that looks like a request": [
      post(`Content-Length: ${SMUGGLED.length}`, SMUGGLED) + PLAIN,
      post(`Content-Length: ${SMUGGLED.length}`, SMUGGLED),
      PLAIN,
    ],
    "a length of 0, then a request": [post("Content-Length: 0", PLAIN), post("Content-Length: 0"), PLAIN],
    "a POST without a length, then a request": [
      `POST / HTTP/1.1\r\nHost: a\r\n\r\n${PLAIN}`,
      "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
      PLAIN,
    ],
    "a length with blanks around it": [post("Content-Length: \t 5 \t ", "hello"), post("Content-Length: 5", "hello")],
    "a length without a blank": [post("Content-Length:5", "hello"), post("Content-Length: 5", "hello")],
    "a DELETE with chunks": [
      `DELETE /x HTTP/1.1\r\nHost: a\r\n${chunked}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
      `DELETE /x HTTP/1.1\r\nHost: a\r\n${chunked}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    ],
    "names that only look like it": [
      get("Content-Length-X: 34\r\nXContent-Length: 34\r\nContentLength: 34", PLAIN),
      get("Content-Length-X: 34\r\nXContent-Length: 34\r\nContentLength: 34"),
      PLAIN,
    ],
  }),
  ...passed({ "a body that is shorter than its length": [post("Content-Length: 100", SMUGGLED)] }, "waiting"),
  ...passed({ "a length of 2^53 - 1": [post("Content-Length: 9007199254740991", SMUGGLED)] }, "waiting"),
];
