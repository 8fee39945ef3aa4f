/** ClientHellos for tests, field by field. */
import { hex, text } from "./bytes.ts";

export interface HelloParts {
  readonly name?: string;
  readonly alpn?: readonly string[];
  /** supported_versions; empty: without the extension. */
  readonly versions?: readonly number[];
  /** The version in front. */
  readonly version?: number;
  readonly extensions?: boolean;
  /** The server name twice. */
  readonly again?: boolean;
  /** Bytes of the padding extension (RFC 7685). */
  readonly padding?: number;
  /** So many bytes of its body are missing. */
  readonly cut?: number;
}

/** A ClientHello (RFC 8446 4.1.2) without its record. */
export function buildClientHello(parts: HelloParts): Uint8Array {
  const names = parts.name === undefined ? [] : [text(parts.name)];
  if (parts.again) names.push(...names);
  const versions = parts.versions ?? [0x0304, 0x0303];
  const extensions = Buffer.concat([
    ...names.map((name) => extension(0, sized(2, Buffer.concat([hex("00"), sized(2, name)])))),
    parts.alpn ? extension(16, sized(2, Buffer.concat(parts.alpn.map((name) => sized(1, text(name)))))) : hex(""),
    versions.length > 0
      ? extension(43, sized(1, Buffer.concat(versions.map((version) => number(2, version)))))
      : hex(""),
    parts.padding ? extension(21, new Uint8Array(parts.padding)) : hex(""),
  ]);
  const body = Buffer.concat([
    number(2, parts.version ?? 0x0303),
    new Uint8Array(32).fill(0x5a), // random
    sized(1, new Uint8Array(32).fill(0xa5)), // session id
    sized(2, hex("1301 1302 c02b")), // cipher suites
    sized(1, hex("00")), // compression
    parts.extensions === false ? hex("") : sized(2, extensions),
  ]);
  return Buffer.concat([hex("01"), sized(3, body.subarray(0, body.length - (parts.cut ?? 0)))]);
}

/** The message in records of at most `most` bytes. */
export function inRecords(message: Uint8Array, most = 16_384): Uint8Array {
  const records: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += most) {
    records.push(hex("16 0301"), sized(2, message.subarray(at, at + most)));
  }
  return new Uint8Array(Buffer.concat(records));
}

function extension(type: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([number(2, type), sized(2, content)]);
}

/** `content` behind its length in `bytes` bytes. */
function sized(bytes: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([number(bytes, content.length), content]);
}

function number(bytes: number, value: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (value >>> (8 * (bytes - 1 - i))) & 0xff);
}
