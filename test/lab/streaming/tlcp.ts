/** The words of TLCP 2.5.0, as a node reads and writes them. Lines end with CRLF. */

export const SUBPROTOCOL = "TLCP-2.5.0.lightstreamer.com";
export const PREFIX = "/lightstreamer";

/** Codes of errors, and what the client does about them. */
export const NOT_FOUND = 20; // bind and control: it makes a new session
export const WRONG_NODE = 21; // bind: it gives up, and its application is told
export const WRONG_NODE_CONTROL = 11; // control: told as 21
export const CREATE_NOT_ALLOWED = 70; // this port takes no new sessions
const BAD_REQUEST = 65;

export type Verb = "create_session" | "bind_session" | "control" | "msg" | "heartbeat" | "wsok";
const VERBS: readonly string[] = ["create_session", "bind_session", "control", "msg", "heartbeat", "wsok"];

/** One request: what is asked, with its parameters. */
export interface Order {
  readonly verb: Verb;
  readonly parameters: URLSearchParams;
}

export function verbOf(name: string): Verb | undefined {
  return VERBS.includes(name) ? (name as Verb) : undefined;
}

/** A WebSocket message, `verb CRLF parameters`; a control message may have several lines of them. */
export function readMessage(message: string): readonly Order[] {
  const [name = "", ...lines] = message.split("\r\n");
  return orders(verbOf(name), lines);
}

/** The body of an HTTP request to `verb`.txt. */
export function readBody(verb: Verb | undefined, body: string): readonly Order[] {
  return orders(verb, body.split("\r\n"));
}

function orders(verb: Verb | undefined, lines: readonly string[]): readonly Order[] {
  if (verb === undefined) return [];
  const full = lines.filter((line) => line !== "");
  return (full.length === 0 ? [""] : full).map((line) => ({ verb, parameters: new URLSearchParams(line) }));
}

/** The beginning of every answer to create and bind. */
export function greeting(id: string, keepaliveMs: number, controlLink: string, node: string, client: string): string {
  return `CONOK,${id},50000,${keepaliveMs},${controlLink}\r\nSERVNAME,${node}\r\nCLIENTIP,${client}\r\nCONS,unlimited\r\n`;
}

export const progress = (lines: number): string => `PROG,${lines}\r\n`;
/** The answer is at its end, the session is not: bind again after so long. */
export const loop = (afterMs: number): string => `LOOP,${afterMs}\r\n`;
export const PROBE = "PROBE\r\n";
export const WEB_SOCKET_OK = "WSOK\r\n";

export const refusedSession = (code: number): string => `CONERR,${code},${text(code)}\r\n`;
export const sessionEnd = (code: number): string => `END,${code},${text(code)}\r\n`;
export const accepted = (request: string): string => (request === "" ? "REQOK\r\n" : `REQOK,${request}\r\n`);
export const refused = (request: string, code: number): string =>
  request === "" ? `ERROR,${code},${text(code)}\r\n` : `REQERR,${request},${code},${text(code)}\r\n`;
export const malformed = (): string => `ERROR,${BAD_REQUEST},malformed\r\n`;

const text = (code: number): string => encodeURIComponent(`code ${code}`);
