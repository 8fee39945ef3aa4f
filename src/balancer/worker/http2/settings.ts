/** What the other side of an HTTP/2 connection asks for (RFC 9113 6.5.2). */
import { FLOW_CONTROL_ERROR, NO_ERROR, PROTOCOL_ERROR } from "../../../protocols/http2/error-codes.ts";
import {
  DEFAULT_FRAME_SIZE,
  ENABLE_CONNECT_PROTOCOL,
  ENABLE_PUSH,
  INITIAL_WINDOW_SIZE,
  LARGEST_FRAME_SIZE,
  LARGEST_WINDOW,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_SIZE,
  readWord,
  SETTING_BYTES,
} from "../../../protocols/http2/frames.ts";

export interface PeerSettings {
  /** Of each stream, for what we send. */
  initialWindow: number;
  frameSize: number;
  /** Streams that we may open; -1: as many as we like. */
  streams: number;
  /** Extended CONNECT (RFC 8441 3). */
  connect: boolean;
}

/** Reads the settings in `bytes[from, to)`, whole ones. @returns NO_ERROR, or the code of a connection error. */
export function readSettings(bytes: Uint8Array, from: number, to: number, out: PeerSettings): number {
  for (let at = from; at < to; at += SETTING_BYTES) {
    const value = readWord(bytes, at + 2);
    switch ((bytes[at]! << 8) | bytes[at + 1]!) {
      case INITIAL_WINDOW_SIZE:
        if (value > LARGEST_WINDOW) return FLOW_CONTROL_ERROR;
        out.initialWindow = value;
        break;
      case MAX_FRAME_SIZE:
        if (value < DEFAULT_FRAME_SIZE || value > LARGEST_FRAME_SIZE) return PROTOCOL_ERROR;
        out.frameSize = value;
        break;
      case MAX_CONCURRENT_STREAMS:
        out.streams = value;
        break;
      case ENABLE_PUSH:
        if (value > 1) return PROTOCOL_ERROR;
        break;
      case ENABLE_CONNECT_PROTOCOL:
        if (value > 1) return PROTOCOL_ERROR;
        out.connect = value === 1;
    }
  }
  return NO_ERROR;
}
