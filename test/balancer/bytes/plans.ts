/** What the two sides of one connection do, drawn at random: each kind is a way in which connections really end. */

/** One side. */
export interface SidePlan {
  /** Length of its stream, the header included. */
  readonly bytes: number;
  /** Most that it hands to the kernel at once. */
  readonly piece: number;
  /** It sends one piece in a turn of the loop, so that they are read one by one. */
  readonly trickles: boolean;
  /** When it begins to send. */
  readonly begins: "at-once" | "after-end";
  /**
   * What it does when everything is sent. `end`: finishes its sending and reads on. `vanish`: finishes, waits until its bytes
   * were taken, and closes, whatever the other side still sends. `reset`: closes with a reset. `stay`: sends for ever.
   */
  readonly ends: "end" | "vanish" | "reset" | "stay";
  /** It reads only when everything is sent, and closes as soon as it has read something. */
  readonly leavesUnread: boolean;
  /** Milliseconds before its first read. */
  readonly lateMs: number;
  /** Milliseconds between two reads; 0: reads at once. */
  readonly restMs: number;
  /** Most that it reads at once. */
  readonly gulp: number;
  /** SO_RCVBUF; 0: the kernel's own. */
  readonly receiveBuffer: number;
}

export interface Plan {
  readonly kind: Kind;
  readonly client: SidePlan;
  readonly server: SidePlan;
  /** The server's stream comes first, before the client has sent a byte. */
  readonly serverSpeaksFirst: boolean;
}

export type Random = () => number;
export type Kind = keyof typeof kinds;

/** Says nothing and finishes. */
export const quiet: SidePlan = {
  bytes: 0,
  piece: 1 << 16,
  trickles: false,
  begins: "at-once",
  ends: "end",
  leavesUnread: false,
  lateMs: 0,
  restMs: 0,
  gulp: 1 << 16,
  receiveBuffer: 0,
};

/** Connections that may be this large are few: they can move as much as their kind needs. */
const LARGE = 1_000_000;

type Sides = Pick<Plan, "client" | "server"> & Partial<Pick<Plan, "serverSpeaksFirst">>;

/** From a few bytes to `most`, small ones as often as large ones. */
const size = (random: Random, most: number) => 8 + Math.floor(most ** random());
const pieces = (random: Random) => [1 << 16, 1 << 16, 1460, 16_384, 100][Math.floor(random() * 5)]!;

function sender(random: Random, most: number): SidePlan {
  const bytes = size(random, most);
  // Not more than some thousand calls for one stream.
  return { ...quiet, bytes, piece: Math.max(pieces(random), bytes >> 10) };
}

const slow = (random: Random, plan: SidePlan): SidePlan => ({
  ...plan,
  restMs: 1 + Math.floor(random() * 10),
  gulp: 8192 + Math.floor(random() * 32_768),
  receiveBuffer: random() < 0.5 ? 4096 : 0,
});

/** `most`: the largest stream. */
const kinds = {
  /** Both send at once, both finish. */
  exchange: (random: Random, most: number): Sides => ({ client: sender(random, most), server: sender(random, most) }),
  /** The client finishes its sending; the answer comes after that. */
  "half-close": (random: Random, most: number): Sides => ({
    client: sender(random, most),
    server: { ...sender(random, most), begins: "after-end" },
  }),
  /** Large both ways at once. */
  flood: (random: Random, most: number): Sides => {
    const bytes = Math.floor(most * (0.5 + random() / 2));
    return { client: { ...quiet, bytes }, server: { ...quiet, bytes } };
  },
  "slow client": (random: Random, most: number): Sides => ({
    client: slow(random, sender(random, 2000)),
    server: { ...quiet, bytes: 8 + Math.floor((most / 4) * random()) },
  }),
  "slow server": (random: Random, most: number): Sides => ({
    client: { ...quiet, bytes: 8 + Math.floor((most / 4) * random()) },
    server: slow(random, sender(random, 2000)),
  }),
  /** More than the kernel keeps for a client who does not read yet, in pieces that are copied and not spliced. */
  "late client": (random: Random, most: number): Sides => ({
    client: { ...quiet, bytes: size(random, 2000), lateMs: 400, receiveBuffer: 100_000 },
    server: { ...quiet, bytes: most < LARGE ? size(random, most) : 5_000_000, piece: 4000, trickles: true },
  }),
  "late server": (random: Random, most: number): Sides => ({
    client: { ...quiet, bytes: most < LARGE ? size(random, most) : 5_000_000, piece: 4000, trickles: true },
    server: { ...quiet, bytes: size(random, 2000), lateMs: 400, receiveBuffer: 100_000 },
  }),
  "one byte at a time": (random: Random): Sides => ({
    client: { ...quiet, bytes: size(random, 300), piece: 1 },
    server: { ...quiet, bytes: size(random, 300), piece: 1 },
  }),
  /** Comes, says nothing, finishes. */
  nothing: (): Sides => ({ client: quiet, server: quiet }),
  "server speaks first": (random: Random, most: number): Sides => ({
    client: { ...(random() < 0.5 ? slow(random, quiet) : quiet), begins: "after-end" },
    server: sender(random, most),
    serverSpeaksFirst: true,
  }),
  "client resets": (random: Random, most: number): Sides => ({
    client: { ...sender(random, most), ends: "reset" },
    server: { ...sender(random, most), ends: random() < 0.5 ? "stay" : "end" },
  }),
  "server resets": (random: Random, most: number): Sides => ({
    client: { ...sender(random, most), ends: random() < 0.5 ? "stay" : "end" },
    server: { ...sender(random, most), ends: "reset" },
  }),
  /** The server answers and is gone, while the client still sends. */
  "server answers and leaves": (random: Random, most: number): Sides => ({
    client: random() < 0.5 ? slow(random, { ...quiet, bytes: most }) : { ...quiet, bytes: most },
    server: { ...sender(random, most / 4), ends: "vanish" },
  }),
  /** The client has said all it wanted and goes away; the server would send for ever. */
  "client leaves a stream": (random: Random): Sides => ({
    client: { ...sender(random, 5000), leavesUnread: true },
    server: { ...quiet, bytes: Number.MAX_SAFE_INTEGER, ends: "stay" },
  }),
} satisfies Record<string, (random: Random, most: number) => Sides>;

const names = Object.keys(kinds) as Kind[];

/** Any kind; a reader of the report sees that all of them came. */
export function anyPlan(random: Random, most: number): Plan {
  const kind = names[Math.floor(random() * names.length)]!;
  return { serverSpeaksFirst: false, ...kinds[kind](random, most), kind };
}
