/** Every parser of src/protocols with messages named by what they are: for the contract suite and the fuzzer. */
import { LOAD_REASONS, MAX_LOAD_LINE, newLoadNumber, readLoadNumber } from "../../src/protocols/agent/number.ts";
import { AGENT_REASONS, MAX_AGENT_LINE, newAgentReport, readAgentText } from "../../src/protocols/agent/text.ts";
import { HTTP1_REASONS } from "../../src/protocols/http1/reasons.ts";
import { type HeadLimits, RequestHead, readRequestHead } from "../../src/protocols/http1/request.ts";
import { CHECKED, ResponseHead, readResponseHead } from "../../src/protocols/http1/response.ts";
import {
  COOKIE_REASONS,
  newStickyCookie,
  openStickyCookie,
  STICKY_COOKIE_CHARACTERS,
  type StickyCookie,
  writeStickyCookie,
} from "../../src/protocols/http1/sticky-cookie.ts";
import { FieldList } from "../../src/protocols/http2/field-list.ts";
import {
  DEFAULT_FRAME_SIZE,
  FRAME_HEADER,
  FRAME_REASONS,
  newFrameHeader,
  readFrameHeader,
} from "../../src/protocols/http2/frames.ts";
import { FIELD_SLACK, HPACK_REASONS, HpackDecoder, readFieldBlock } from "../../src/protocols/http2/hpack-decoder.ts";
import { MAX_PROXY_HEADER, newProxyHeader, PROXY_REASONS, readProxyHeader } from "../../src/protocols/proxy.ts";
import {
  buildConnectionConfirm,
  buildNegotiationFailure,
  CONNECTION_CONFIRM_REASONS,
  MAX_CONFIRM,
  NO_SERVER_REFUSAL,
  newConnectionConfirm,
  PLAIN_CONNECTION_CONFIRM,
  readConnectionConfirm,
} from "../../src/protocols/rdp/connection-confirm.ts";
import {
  buildConnectionRequest,
  CONNECTION_REQUEST_REASONS,
  MAX_REQUEST,
  newConnectionRequest,
  readConnectionRequest,
} from "../../src/protocols/rdp/connection-request.ts";
import { MAX_MSTS_VALUE, MSTS_REASONS, newMstsToken, readMstsToken } from "../../src/protocols/rdp/msts.ts";
import {
  MAX_PRECONNECTION_BLOB,
  newPreconnectionBlob,
  PRECONNECTION_BLOB_REASONS,
  readPreconnectionBlob,
} from "../../src/protocols/rdp/preconnection-blob.ts";
import {
  newRoutingToken,
  openToken,
  sealToken,
  TOKEN_CHARACTERS,
  TOKEN_REASONS,
  type TokenKey,
} from "../../src/protocols/rdp/token.ts";
import {
  CLIENT_HELLO_REASONS,
  MAX_CLIENT_HELLO,
  newClientHello,
  readClientHello,
} from "../../src/protocols/tls/client-hello.ts";
import { hex, show, text } from "./bytes.ts";
import { buildClientHello, inRecords } from "./client-hellos.ts";
import type { ParserUnderTest } from "./contract.ts";

const PROXY_V2 = "0d0a0d0a000d0a515549540a // signature";
const TOKEN_KEY: TokenKey = { id: 3, secret: new Uint8Array(32).fill(7) };
const OTHER_KEY: TokenKey = { id: 3, secret: new Uint8Array(32).fill(8) };
export const NOW_SEC = 1_800_000_000;
const ROUTE = {
  issuedSec: NOW_SEC - 60,
  expiresSec: NOW_SEC + 60,
  serverHigh: 0xdeadbeef,
  serverLow: 1,
  userHigh: 0,
  userLow: 0,
};

/** A sticky cookie's value, signed with `key`. */
function sealedCookie(key: TokenKey, change: Partial<StickyCookie> = {}): Uint8Array {
  const value = new Uint8Array(STICKY_COOKIE_CHARACTERS);
  const cookie = { issuedSec: NOW_SEC, seenSec: NOW_SEC, serverHigh: 0xdeadbeef, serverLow: 1, idHigh: 7, idLow: 8 };
  writeStickyCookie(key, { ...cookie, ...change }, value, 0);
  return value;
}

const stickyCookie = newStickyCookie();
const request = newConnectionRequest();
const blob = newPreconnectionBlob();
const confirm = newConnectionConfirm();
const msts = newMstsToken();
const token = newRoutingToken();
const proxy = newProxyHeader();
const frameHeader = newFrameHeader();
const fieldList = new FieldList(1024, FIELD_SLACK);
const load = newLoadNumber();
const report = newAgentReport();
const requestHead = new RequestHead();
const head = new ResponseHead();
const LIMITS: HeadLimits = { head: 4096, target: 1024, fields: 32 };
const hello = newClientHello();

export const parsers: readonly ParserUnderTest[] = [
  {
    name: "readConnectionRequest",
    bound: MAX_REQUEST,
    stream: true,
    reasons: CONNECTION_REQUEST_REASONS,
    read: (bytes, from, to) => readConnectionRequest(bytes, from, to, request),
    found: (from) => ({ ...request, cookieAt: request.cookieAt - from, cookieEnd: request.cookieEnd - from }),
    good: {
      "a login, TLS and CredSSP": buildConnectionRequest({ line: "Cookie: mstshash=alice", protocols: 3 }),
      "no cookie, no negotiation": buildConnectionRequest({}),
      "a health check": buildConnectionRequest({ protocols: 3 }),
      "an msts token": buildConnectionRequest({ line: "Cookie: msts=3640205228.15629.0000", protocols: 3 }),
      "a signed token": buildConnectionRequest({
        line: `Cookie: holdfast=${sealToken(TOKEN_KEY, ROUTE)}`,
        protocols: 3,
      }),
      "a collection": buildConnectionRequest({ line: "tsv://MS Terminal Services Plugin.1.Sales", protocols: 11 }),
      "two lines": buildConnectionRequest({ line: "Cookie: msts=1.2.0000\r\nCookie: mstshash=bob", protocols: 1 }),
      "the longest": buildConnectionRequest({ line: `Cookie: mstshash=${"u".repeat(221)}`, protocols: 3 }),
      "correlation info": hex(
        "03 00 00 37 32 e0 0000 0000 00 // TPKT, LI 50, CR",
        "01 08 0800 03000000            // RDP_NEG_REQ, correlation info follows",
        "06 00 2400                     // RDP_NEG_CORRELATION_INFO, 36 bytes",
        "a1a2a3a4a5a6a7a8a9aaabacadaeafb0 // correlation id",
        "00000000000000000000000000000000 // reserved",
      ),
    },
    bad: {
      "an HTTP request": text("GET / HTTP/1.1\r\nHost: desktops\r\n\r\n"),
      "a TLS ClientHello": hex("16 03 01 02 00 01 00 01 fc 03 03"),
      "a preconnection blob": hex("12000000 00000000 02000000 01000000 0000"),
      "300 bytes": hex("03 00 01 2c ff e0 0000 0000 00"),
      "a length indicator that is one too small": hex("03 00 00 13 0d e0 0000 0000 00 01 00 0800 03000000"),
      "a Connection Confirm": buildConnectionConfirm(1),
      "a cookie without a line end": hex("03 00 00 11 0c e0 0000 0000 00 436f6f6b6965"),
      "a cookie whose line ends in CR": hex("03 00 00 12 0d e0 0000 0000 00 436f6f6b6965 0d"),
      "zeros in place of the variable part": hex("03 00 00 13 0e e0 0000 0000 00 0000000000000000"),
      "a negotiation request of the wrong length": hex("03 00 00 13 0e e0 0000 0000 00 01 00 0900 03000000"),
    },
  },
  {
    name: "readPreconnectionBlob",
    bound: MAX_PRECONNECTION_BLOB,
    stream: true,
    reasons: PRECONNECTION_BLOB_REASONS,
    read: (bytes, from, to) => readPreconnectionBlob(bytes, from, to, blob),
    found: (from) => ({ ...blob, textAt: blob.textAt - from, textEnd: blob.textEnd - from }),
    good: {
      "version 1": hex("10000000 00000000 01000000 efbe0000"),
      "version 2 with an empty text": hex("12000000 00000000 02000000 05000000 0000"),
      "version 2 at the bound": hex("00040000 00000000 02000000 04030201 f701", "4100".repeat(503)),
      "version 2 that names a machine": hex("16000000 00000000 02000000 00000000 0200 4100 0000"),
    },
    bad: {
      "a TPKT": buildConnectionRequest({ protocols: 3 }),
      "a text that is longer than the blob": hex("16000000 00000000 02000000 00000000 0300 4100 0000"),
      "a size beyond the bound": hex("00100000 00000000 02000000 00000000"),
    },
  },
  {
    name: "readConnectionConfirm",
    bound: MAX_CONFIRM,
    stream: true,
    reasons: CONNECTION_CONFIRM_REASONS,
    read: (bytes, from, to) => readConnectionConfirm(bytes, from, to, confirm),
    found: () => confirm,
    good: {
      "TLS selected": buildConnectionConfirm(1),
      "a negotiation failure": buildNegotiationFailure(5),
      "no negotiation": PLAIN_CONNECTION_CONFIRM,
      "parameters of X.224 itself": hex("03 00 00 0e 09 d0 0000 1234 00 c0 01 0a"),
    },
    bad: {
      "a Disconnect Request": NO_SERVER_REFUSAL,
      "an SSH banner": text("SSH-2.0-OpenSSH_9.2p1\r\n"),
      "a length that X.224 cannot have": hex("03 00 01 04 ff d0 0000 1234 00"),
    },
  },
  {
    name: "readMstsToken",
    bound: MAX_MSTS_VALUE,
    stream: false,
    reasons: MSTS_REASONS,
    read: (bytes, from, to) => readMstsToken(bytes, from, to, msts),
    found: () => msts,
    good: {
      "Microsoft's sample": text("3640205228.15629.0000"),
      "without the last zeros": text("16777343.15885."),
    },
    bad: {
      nothing: text(""),
      "without the last dot": text("16777343.15885"),
      "an address above 32 bits": text("4294967296.15885.0000"),
      "a port above 16 bits": text("16777343.65536.0000"),
      "port 0": text("16777343.0.0000"),
      "a sign": text("-6777343.15885.0000"),
      "other text at the end": text("16777343.15885.0001"),
      "other text behind the last dot": text("16777343.15885.1000"),
    },
  },
  {
    name: "openToken",
    bound: TOKEN_CHARACTERS,
    stream: false,
    reasons: TOKEN_REASONS,
    read: (bytes, from, to) => openToken([TOKEN_KEY], bytes, from, to, NOW_SEC, token),
    found: () => token,
    good: {
      "a token for anyone": text(sealToken(TOKEN_KEY, ROUTE)),
      "a token for one user": text(sealToken(TOKEN_KEY, { ...ROUTE, userHigh: 5, userLow: 0xffffffff })),
    },
    bad: {
      "signed with another key": text(sealToken(OTHER_KEY, ROUTE)),
      "signed with a key that is not there": text(sealToken({ ...TOKEN_KEY, id: 9 }, ROUTE)),
      "expired this second": text(sealToken(TOKEN_KEY, { ...ROUTE, expiresSec: NOW_SEC })),
      "one character short": text(sealToken(TOKEN_KEY, ROUTE).slice(1)),
      padded: text(`${sealToken(TOKEN_KEY, ROUTE).slice(0, 55)}=`),
    },
  },
  {
    name: "openStickyCookie",
    bound: STICKY_COOKIE_CHARACTERS,
    stream: false,
    reasons: COOKIE_REASONS,
    read: (bytes, from, to) => openStickyCookie([TOKEN_KEY], bytes, from, to, stickyCookie),
    found: () => stickyCookie,
    good: {
      "a cookie": sealedCookie(TOKEN_KEY),
      "the first of all ids": sealedCookie(TOKEN_KEY, { idHigh: 0, idLow: 0 }),
    },
    bad: {
      "signed with another key": sealedCookie(OTHER_KEY),
      "signed with a key that is not there": sealedCookie({ ...TOKEN_KEY, id: 9 }),
      "a routing token": text(sealToken(TOKEN_KEY, ROUTE)),
      "one character short": sealedCookie(TOKEN_KEY).slice(1),
      padded: text(`${Buffer.from(sealedCookie(TOKEN_KEY)).toString().slice(0, 55)}=`),
    },
  },
  {
    name: "readProxyHeader",
    bound: MAX_PROXY_HEADER,
    stream: true,
    reasons: PROXY_REASONS,
    read: (bytes, from, to) => readProxyHeader(bytes, from, to, proxy),
    found: () =>
      proxy.family === 0
        ? { version: proxy.version, local: proxy.local }
        : { ...proxy, source: [...proxy.source], destination: [...proxy.destination] },
    good: {
      "v1 IPv4": text("PROXY TCP4 192.0.2.1 198.51.100.7 56324 3389\r\n"),
      "v1 with addresses of zeros": text("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"),
      "v1 IPv6": text("PROXY TCP6 2001:db8::1 ::1 65535 1\r\n"),
      "v1 UNKNOWN with a tail": text("PROXY UNKNOWN ffff::1 whatever\r\n"),
      "v1 at its longest": text(`PROXY UNKNOWN ${"f".repeat(91)}\r\n`),
      "v2 IPv4": hex(PROXY_V2, "21 11 000c", "c0000201 c6336407 dc04 0d3d"),
      "v2 IPv6": hex(PROXY_V2, "21 21 0024", "20010db8000000000000000000000001", "00".repeat(15), "01 ffff 0001"),
      "v2 LOCAL": hex(PROXY_V2, "20 00 0000"),
      "v2 LOCAL with an unknown family": hex(PROXY_V2, "20 f0 0002 aabb"),
      "v2 with TLVs": hex(PROXY_V2, "21 11 0013", "c0000201 c6336407 dc04 0d3d", "04 0004 00000000"),
      "v2 UNIX": hex(PROXY_V2, "21 31 00d8", "61".repeat(216)),
    },
    bad: {
      "a Connection Request": buildConnectionRequest({ protocols: 3 }),
      "v1 in small letters": text("proxy TCP4 192.0.2.1 198.51.100.7 56324 3389\r\n"),
      "v1 with an IPv6 address as TCP4": text("PROXY TCP4 ::1 198.51.100.7 56324 3389\r\n"),
      "v1 with two spaces": text("PROXY TCP4  192.0.2.1 198.51.100.7 56324 3389\r\n"),
      "v1 with a port too great": text("PROXY TCP4 192.0.2.1 198.51.100.7 65536 3389\r\n"),
      "v1 with a leading zero": text("PROXY TCP4 192.0.2.1 198.51.100.7 056324 3389\r\n"),
      "v1 with a field too many": text("PROXY TCP4 192.0.2.1 198.51.100.7 56324 3389 1\r\n"),
      "v1 with LF alone": text("PROXY TCP4 192.0.2.1 198.51.100.7 56324 3389\n"),
      "v1 with CR alone": text("PROXY TCP4 192.0.2.1 198.51.100.7 56324 3389\rX"),
      "v1 of 108 bytes": text(`PROXY UNKNOWN ${"f".repeat(92)}\r\n`),
      "v2 of version 1": hex(PROXY_V2, "11 11 000c", "c0000201 c6336407 dc04 0d3d"),
      "v2 with an unknown command": hex(PROXY_V2, "22 11 000c", "c0000201 c6336407 dc04 0d3d"),
      "v2 with an unknown family": hex(PROXY_V2, "21 41 000c", "c0000201 c6336407 dc04 0d3d"),
      "v2 too short for its family": hex(PROXY_V2, "21 21 000c", "c0000201 c6336407 dc04 0d3d"),
      "v2 of 64 KiB": hex(PROXY_V2, "21 11 ffff", "c0000201 c6336407 dc04 0d3d"),
    },
  },
  {
    name: "readLoadNumber",
    bound: MAX_LOAD_LINE,
    stream: true,
    reasons: LOAD_REASONS,
    read: (bytes, from, to) => readLoadNumber(bytes, from, to, false, load),
    found: () => load,
    good: { idle: text("0\n"), busy: text(" 98 \r"), down: text("101\n"), disabled: text("102\n") },
    bad: {
      "103": text("103\n"),
      "a negative number": text("-1\n"),
      "a fraction": text("50.5\n"),
      "a per cent sign": text("50%\n"),
      "an empty line": text("\n50\n"),
      "an HTML page": text("<html>404</html>"),
    },
  },
  {
    name: "readAgentText",
    bound: MAX_AGENT_LINE,
    stream: true,
    reasons: AGENT_REASONS,
    read: (bytes, from, to) => readAgentText(bytes, from, to, false, report),
    found: () => report,
    good: {
      "idle per cent": text("75%\n"),
      "the first answer after a start": text("up ready 75%\r"),
      "everything at once": text("maint, weight:20\tmaxconn:30 DOWN #disk full, again\n"),
      "only a description": text("#starting\n"),
      "words that mean nothing": text("hello 12 weight:257 maxconn:x\n"),
    },
    bad: { "an empty line": text("\r\n"), "only separators": text(" ,\t\n") },
  },
  {
    name: "readResponseHead",
    bound: CHECKED.head,
    stream: true,
    reasons: HTTP1_REASONS,
    read: (bytes, from, to) => readResponseHead(bytes, from, to, CHECKED, head),
    found: (from) => relative(head, from),
    good: {
      "a length": text("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 12\r\n\r\n"),
      "an interim response": text("HTTP/1.1 100 Continue\r\n\r\n"),
      chunks: text("HTTP/1.1 404 Not Found\r\nTRANSFER-ENCODING: Chunked\r\n\r\n"),
      "neither, no phrase, LF alone": text("HTTP/1.0 503\n\n"),
      "a WebSocket that opens": text("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    },
    bad: {
      "an SSH banner": text("SSH-2.0-OpenSSH_9.2p1\r\n"),
      "HTTP/2": text("HTTP/2 200\r\n\r\n"),
      "status 99": text("HTTP/1.1 099 Low\r\n\r\n"),
      "a status of four digits": text("HTTP/1.1 2000 OK\r\n\r\n"),
      "the same length twice": text("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
      "two lengths": text("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
      "a length that is no number": text("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n"),
      "a field without a colon": text("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"),
      "a folded field": text("HTTP/1.1 200 OK\r\nA: b\r\n c: d\r\n\r\n"),
      "a length and chunks": text("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    },
  },
  {
    name: "readRequestHead",
    bound: LIMITS.head,
    stream: true,
    reasons: HTTP1_REASONS,
    read: (bytes, from, to) => readRequestHead(bytes, from, to, LIMITS, requestHead),
    found: (from) => relative(requestHead, from),
    good: {
      "the smallest": text("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
      "a browser's": text(
        "GET /app/?x=1 HTTP/1.1\r\nHost: web.example:8443\r\nConnection: keep-alive\r\nUser-Agent: M\r\nAccept: */*\r\n" +
          "Accept-Encoding: gzip, br\r\nCookie: a=b; c=d\r\n\r\n",
      ),
      "a form": text("POST /login HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n"),
      chunks: text("PUT /x HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n"),
      "a WebSocket": text(
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      ),
      "a whole URL": text("GET http://a.example?q HTTP/1.1\r\nHost: b\r\nX: \r\n\r\n"),
      "OPTIONS of the server": text("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
      "HTTP/1.0 behind an empty line": text("\r\nGET / HTTP/1.0\r\n\r\n"),
      "a field that Connection names": text(
        "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nConnection: x-a, TE\r\nTE: trailers\r\n\r\n",
      ),
      "a method of its own": text("M-SEARCH / HTTP/1.1\r\nHost: a_b.\r\n\r\n"),
    },
    bad: {
      "two empty lines in front": text("\r\n\r\nGET / HTTP/1.1\r\n"),
      "a TLS ClientHello": hex("16 03 01 02 00"),
      "HTTP/2": text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      "HTTP/0.9": text("GET /\r\n"),
      "HTTP/1.2": text("GET / HTTP/1.2\r\n"),
      "a target of 1025 bytes": text(`GET /${"a".repeat(1024)} HTTP/1.1\r\n`),
      "33 fields": text(`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(33)}`),
      "a folded field": text("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"),
      "a line that ends in LF": text("GET / HTTP/1.1\r\nHost: a\n\r\n"),
      "no host": text("GET / HTTP/1.1\r\n\r\n"),
      "two hosts": text("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
      "a length and chunks": text(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      ),
      "a blank before the colon": text("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
      "a length of other spelling": text("POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 1\r\n\r\n"),
    },
  },
  {
    name: "readClientHello",
    bound: MAX_CLIENT_HELLO,
    stream: true,
    reasons: CLIENT_HELLO_REASONS,
    read: (bytes, from, to) => readClientHello(bytes, from, to, hello),
    found: () => [
      show(hello.serverName, 0, hello.serverNameLength),
      show(hello.alpn, 0, hello.alpnLength),
      hello.versions,
    ],
    good: {
      "a name, HTTP/2 and TLS 1.3": inRecords(
        buildClientHello({ name: "Login.Example.com", alpn: ["h2", "http/1.1"] }),
      ),
      "no name": inRecords(buildClientHello({})),
      "no extensions at all": inRecords(buildClientHello({ extensions: false })),
      "TLS 1.0 only": inRecords(buildClientHello({ name: "old.example", version: 0x0301, versions: [] })),
      "a byte a record": inRecords(buildClientHello({ name: "a.example" }), 1),
      "a name that lies in two records": inRecords(buildClientHello({ name: "streaming.example.com" }), 60),
      "versions of its own making": inRecords(buildClientHello({ versions: [0x0a0a, 0x0304, 0x0303] })),
      "a last dot": inRecords(buildClientHello({ name: "a.example." })),
      "two records of 8 KiB": inRecords(buildClientHello({ name: "big.example", padding: 15_000 }), 8192),
    },
    bad: {
      "an HTTP request": text("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
      "an X.224 request of RDP": buildConnectionRequest({ protocols: 3 }),
      "a hello of SSL 2": hex("80 2e 01 00 02 0015 0000 0010 010080"),
      "bytes above 0x80 that are no SSL 2": hex("ff fe fd fc"),
      "an empty record": hex("16 0301 0000"),
      "a record above 16 KiB": hex("16 0301 4001 01"),
      "a record of application data": hex("17 0303 0020"),
      "application data in the middle": hex("16 0301 0001 01 17 0301 0001 00"),
      "a ServerHello": hex("16 0303 0004 02 000000"),
      "a message of 1 MiB": hex("16 0301 0004 01 100000"),
      "a message that ends early": inRecords(buildClientHello({ cut: 10 })),
      "a second message in its record": inRecords(Buffer.concat([buildClientHello({}), hex("01000000")])),
      "an empty name": inRecords(buildClientHello({ name: "" })),
      "a name with a slash": inRecords(buildClientHello({ name: "a/b" })),
      "a name with a zero byte": inRecords(buildClientHello({ name: "a\0.example" })),
      "a name of two dots": inRecords(buildClientHello({ name: "a..b" })),
      "a name that begins with a dot": inRecords(buildClientHello({ name: ".b" })),
      "a name of 256 bytes": inRecords(buildClientHello({ name: "a".repeat(256) })),
      "two names": inRecords(buildClientHello({ name: "a.example", again: true })),
      "a protocol without a name": inRecords(buildClientHello({ alpn: ["h2", ""] })),
    },
  },
  {
    name: "readFrameHeader",
    bound: FRAME_HEADER,
    stream: true,
    reasons: FRAME_REASONS,
    read: (bytes, from, to) => readFrameHeader(bytes, from, to, DEFAULT_FRAME_SIZE, frameHeader),
    found: () => ({ ...frameHeader }),
    good: {
      SETTINGS: hex("000000 04 00 00000000"),
      "the longest DATA": hex("004000 00 01 7fffffff"),
      "HEADERS with the reserved bit": hex("000010 01 05 80000001"),
    },
    bad: { "a byte too many": hex("004001 00 00 00000001"), "a ClientHello": hex("160301 02 00 010001fc") },
  },
  {
    name: "readFieldBlock",
    bound: 4096,
    stream: false,
    reasons: HPACK_REASONS,
    read: (bytes, from, to) => readFieldBlock(bytes, from, to, new HpackDecoder(256), fieldList),
    found: () => ({
      fields: Buffer.from(fieldList.bytes.subarray(0, fieldList.end)).toString("latin1"),
      bounds: [...fieldList.bounds.subarray(0, 2 * fieldList.count + 1)],
      tooLarge: fieldList.tooLarge,
      size: fieldList.size,
    }),
    good: {
      "a request in Huffman code": hex("828684418cf1e3c2e5f23a6ba0ab90f4ff"),
      "a field that is remembered, and referred to": hex("400a637573746f6d2d6b65790d637573746f6d2d686561646572 be"),
      "a smaller table": hex("20 82 100870617373776f726406736563726574"),
      "an answer in Huffman code": hex(
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
      ),
    },
    bad: {
      nothing: hex(""),
      "index 0": hex("80"),
      "an index behind the tables": hex("be"),
      "an integer without an end": hex("ffffffffffffff"),
      "a text that is cut off": hex("00 05 61"),
      "Huffman padding of zeros": hex("00 81 18 00"),
      "a table above the limit": hex("3fe21f"),
    },
  },
];

/** A head with its offsets relative to `from`. */
function relative(head: RequestHead | ResponseHead, from: number): unknown {
  head.shift(-from);
  const { count, present, codes, spans } = head.fields;
  const { fields: _table, ...rest } = head;
  return { ...rest, present, codes: [...codes.subarray(0, count)], spans: [...spans.subarray(0, count * 4)] };
}
