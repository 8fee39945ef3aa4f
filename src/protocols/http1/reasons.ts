/** Why a message of HTTP/1 is refused: one list for requests, responses and bodies in chunks. */
import type { Reasons } from "../result.ts";

export const BAD_METHOD = -1;
export const METHOD_TOO_LONG = -2;
export const BAD_TARGET = -3;
export const TARGET_TOO_LONG = -4;
/** No version: HTTP/0.9. */
export const NO_VERSION = -5;
export const NOT_HTTP = -6;
/** HTTP, but neither 1.0 nor 1.1. */
export const OTHER_VERSION = -7;
/** A client of HTTP/2 that was not asked whether we speak it (RFC 9113 3.3). */
export const HTTP2_PREFACE = -8;
/** A CR or LF by itself where a line ends with both (RFC 9112 2.2). */
export const BAD_LINE_END = -9;
export const BAD_FIELD_NAME = -10;
/** A blank in front of the colon (RFC 9112 5.1). */
export const BLANK_BEFORE_COLON = -11;
export const BAD_FIELD_VALUE = -12;
/** A line that goes on with the value of the one before (RFC 9112 5.2). */
export const FOLDED_LINE = -13;
/** `Content_Length`: a name that some servers take for one that matters. */
export const AMBIGUOUS_NAME = -14;
export const HEAD_TOO_LONG = -15;
export const TOO_MANY_FIELDS = -16;
export const NO_HOST = -17;
export const BAD_HOST = -18;
export const BAD_LENGTH = -19;
export const BAD_TRANSFER_ENCODING = -20;
/** Both a length and chunks, or a body where there can be none. */
export const AMBIGUOUS_BODY = -21;
/** Connection names a field that is for the server. */
export const BAD_CONNECTION = -22;
export const BAD_EXPECTATION = -23;
export const BAD_STATUS = -24;
export const BAD_CHUNK = -25;
export const CHUNK_EXTENSION_TOO_LONG = -26;
export const BAD_TRAILER = -27;
export const TRAILERS_TOO_LONG = -28;

export const HTTP1_REASONS: Reasons = {
  [BAD_METHOD]: "bad-method",
  [METHOD_TOO_LONG]: "method-too-long",
  [BAD_TARGET]: "bad-target",
  [TARGET_TOO_LONG]: "target-too-long",
  [NO_VERSION]: "no-version",
  [NOT_HTTP]: "not-http",
  [OTHER_VERSION]: "other-version",
  [HTTP2_PREFACE]: "http-two-preface",
  [BAD_LINE_END]: "bad-line-end",
  [BAD_FIELD_NAME]: "bad-field-name",
  [BLANK_BEFORE_COLON]: "blank-before-colon",
  [BAD_FIELD_VALUE]: "bad-field-value",
  [FOLDED_LINE]: "folded-line",
  [AMBIGUOUS_NAME]: "ambiguous-name",
  [HEAD_TOO_LONG]: "head-too-long",
  [TOO_MANY_FIELDS]: "too-many-fields",
  [NO_HOST]: "no-host",
  [BAD_HOST]: "bad-host",
  [BAD_LENGTH]: "bad-length",
  [BAD_TRANSFER_ENCODING]: "bad-transfer-encoding",
  [AMBIGUOUS_BODY]: "ambiguous-body",
  [BAD_CONNECTION]: "bad-connection",
  [BAD_EXPECTATION]: "bad-expectation",
  [BAD_STATUS]: "bad-status",
  [BAD_CHUNK]: "bad-chunk",
  [CHUNK_EXTENSION_TOO_LONG]: "chunk-extension-too-long",
  [BAD_TRAILER]: "bad-trailer",
  [TRAILERS_TOO_LONG]: "trailers-too-long",
};

/** Statuses that are not 400. */
const STATUSES: Readonly<Record<number, number>> = {
  [METHOD_TOO_LONG]: 501,
  [TARGET_TOO_LONG]: 414,
  [OTHER_VERSION]: 505,
  [HTTP2_PREFACE]: 505,
  [HEAD_TOO_LONG]: 431,
  [TOO_MANY_FIELDS]: 431,
  [BAD_EXPECTATION]: 417,
  [TRAILERS_TOO_LONG]: 431,
};

/** The status that a client gets whose request was refused for `reason`; the connection ends with it. */
export function statusOf(reason: number): number {
  return STATUSES[reason] ?? 400;
}
