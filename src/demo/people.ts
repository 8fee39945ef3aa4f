/** Who comes in the demo, and how each can be recognised: between them, every way that there is. */
import { formatMstsToken } from "../protocols/rdp/msts.ts";
import { CUT_AT } from "../protocols/rdp/user.ts";
import type { SampleServer } from "./children.ts";
import type { Coming } from "./visit.ts";

/** Where people are; who works at home has another address there. */
export type Place = "office" | "home";
const NETWORKS: Readonly<Record<Place | "shop", string>> = { office: "127.0.1", home: "127.0.2", shop: "127.0.3" };
/** Addresses of one digit keep the table narrow. */
const HOSTS = 9;

/** What a person's client sends and where it comes from. */
type Habit =
  /** Its login. */
  | "login"
  /** Only the address that a Server Redirection gave it (`msts=`). */
  | "redirected"
  /** Only the line of its .rdp file (`holdfast=`). */
  | "rdp-file"
  /** A login of nine characters, as mstsc cuts it: others may have the same. Always from the same address. */
  | "cut-login"
  /** Nothing. Always from the same address. */
  | "address"
  /** A client of the TCP service: nothing can be sent. Always from the same address. */
  | "till";

export interface Person {
  readonly name: string;
  readonly habit: Habit;
}

/** In the order of their first coming. */
export const PEOPLE: readonly Person[] = [
  { name: "alice", habit: "login" },
  { name: "bob", habit: "login" },
  { name: "dave", habit: "redirected" },
  { name: "erin", habit: "rdp-file" },
  { name: "alexander.k", habit: "cut-login" },
  { name: "alexander.m", habit: "cut-login" },
  { name: "carol", habit: "login" },
  { name: "corp\\grace", habit: "login" },
  { name: "frank", habit: "address" },
  { name: "till-1", habit: "till" },
  { name: "till-2", habit: "till" },
  { name: "till-3", habit: "till" },
];

/** What a person brings along from before. */
export interface Belongings {
  /** The server of their session, once they have one. */
  readonly server?: SampleServer | undefined;
  /** The line of their .rdp file, once they were given one. */
  readonly rdpFile?: string | undefined;
}

/** How the person comes to a service at `to`. */
export function comingOf(person: Person, place: Place, has: Belongings, to: string): Coming {
  const { name, habit } = person;
  const network = habit === "till" ? "shop" : moves(habit) ? place : "office";
  const from = `${NETWORKS[network]}.${(PEOPLE.indexOf(person) % HOSTS) + 1}`;
  if (habit === "till") return { from, to };
  return { from, to, login: name, line: lineOf(person, has) };
}

const moves = (habit: Habit) => habit === "login" || habit === "redirected" || habit === "rdp-file";

function lineOf({ name, habit }: Person, { server, rdpFile }: Belongings): string | undefined {
  switch (habit) {
    case "login":
      return `Cookie: mstshash=${name}`;
    case "cut-login":
      return `Cookie: mstshash=${name.slice(0, CUT_AT)}`;
    case "redirected":
      return server && `Cookie: msts=${formatMstsToken(0x7f000001, server.port)}`;
    case "rdp-file":
      return rdpFile;
    default:
      return undefined;
  }
}
