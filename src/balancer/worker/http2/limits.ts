/** What one HTTP/2 connection may take of a worker, besides what the plan limits. */

/** Bytes of a request's body that a client may send before the server has taken any: for a stream, and for all of them. */
export const STREAM_WINDOW = 65_535;
export const CONNECTION_WINDOW = 1 << 20;
/** Bytes to the other side that may wait: all of them, and how many before data has to wait for others to go. */
export const OUTBOX_BYTES = 96 * 1024;
export const DATA_ROOM = 40 * 1024;
/** Kept free of data and field blocks, for frames that answer or end something. Beyond data and half of it, nothing is read. */
export const CONTROL_ROOM = 16 * 1024;
/** Of a field block that is written: what never fits is not waited for. */
export const MOST_BLOCK = OUTBOX_BYTES - CONTROL_ROOM - 64;
/** Of one DATA frame that is written. */
export const DATA_BYTES = 16_384;
/** Read at once. */
export const READ_BYTES = 16_384;
/** Reads, and rounds of writing, in one turn of the loop. */
export const STEPS = 8;
/** Pieces of one field block: HEADERS and its CONTINUATIONs (CVE-2024-27316). Its bytes are limited by the plan. */
export const MOST_PIECES = 32;
/** A field block may take this many times the largest list: a list above its limit is told so, a block ends the connection. */
export const BLOCK_SHARE = 2;
/** The connection ends so long after its last words, or when the other side has read them. */
export const LAST_WORDS_MS = 1000;
/** What is read and dropped meanwhile: more than windows and sockets hold of somebody who stops when he is told to. */
export const LAST_WORDS_BYTES = 4 * CONNECTION_WINDOW;
/** How often a connection with streams looks at what does not move. */
export const LOOK_MS = 5000;
/** Between the announcement that a connection ends and the last stream that is still served. */
export const GRACE_MS = 1000;
/** How many streams that we have reset are remembered: what was on its way is dropped. */
export const REMEMBERED = 256;

// Frames that bring nothing forward cost patience; what is spent comes back with time. A browser that leaves a page resets
// a hundred streams at once; a rapid reset attack (CVE-2023-44487) or a flood of pings goes on.
export const PATIENCE = 4000;
export const PATIENCE_A_SECOND = 400;
/** Pings, settings, priorities, frames nobody knows, windows that grow by little, pieces of a block. */
export const COST_FRAME = 1;
export const COST_EMPTY_DATA = 4;
/** A stream that was reset, refused or malformed. */
export const COST_STREAM = 10;
/** A window that grows by less is worth a frame's cost. */
export const SMALL_INCREMENT = 1024;
/** Of a list above its limit, so many bytes are worth a frame's cost: what a block refers to takes time beyond its own length. */
export const LARGE_LIST = 1 << 16;
