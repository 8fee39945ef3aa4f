import { expect, test } from "bun:test";
import { MemoryDirectory } from "../../../src/balancer/control/directory.ts";
import { type OpenNumbers, Records } from "../../../src/balancer/control/records.ts";
import { Slots } from "../../../src/balancer/control/slots.ts";
import { ConnectionRecord, RecordKind, writeRecord } from "../../../src/balancer/shared/record.ts";
import { RingWriter } from "../../../src/balancer/shared/ring.ts";
import { Scoreboard } from "../../../src/balancer/shared/scoreboard.ts";
import { testMemory } from "../shared/shared-memory.ts";

const COLUMN = 3;
const ID_HIGH = COLUMN << 26;
const NOW = 1_800_000_060_000;

/** Control and one worker, as far as records go. */
function rig() {
  const { buffer, layout } = testMemory();
  const slots = new Slots(new Scoreboard(buffer, layout, 1));
  const directory = new MemoryDirectory();
  const lines: number[] = [];
  const records = new Records({
    memory: buffer,
    layout,
    slots,
    directory,
    accessLines: { connections: { line: ({ idLow }) => String(idLow) }, requests: null },
    sink: { write: (line) => lines.push(Number(line)) },
  });
  const ring = new RingWriter(buffer, layout, COLUMN);
  const record = new ConnectionRecord();
  record.idHigh = ID_HIGH;
  record.service = slots.service("desktops");
  record.pool = slots.pool("rds");
  record.server = slots.server("rds", "rds1");
  record.startedMs = NOW - 60_000;
  /** What the worker tells of its connection `number`. @returns false when there was no room */
  const tell = (kind: number, number: number, user: string, bytesIn = 0): boolean => {
    record.kind = kind;
    record.idLow = number;
    record.bytesIn = bytesIn;
    record.setUser(Buffer.from(user), 0, Buffer.byteLength(user));
    return writeRecord(record, ring);
  };
  /** Fills the ring with the ends of strangers. */
  const fill = () => {
    while (tell(RecordKind.ENDED, 0, ""));
  };
  const drain = () => {
    while (records.drain([COLUMN]));
  };
  let asked = 0;
  const again: number[] = [];
  const compare = (answer: () => OpenNumbers[]) =>
    records.compare(
      [COLUMN],
      {
        list: async () => {
          asked++;
          return answer();
        },
        tellAgain: ({ numbers }) => again.push(...numbers),
      },
      () => NOW,
    );
  const states = () => directory.sessions().map(({ user, state }) => `${user} ${state}`);
  return { directory, lines, tell, fill, drain, compare, states, again, asked: () => asked };
}

const open = (...numbers: number[]): OpenNumbers[] => [{ column: COLUMN, numbers: Uint32Array.from(numbers) }];

test("what the worker tells reaches directory and access log", () => {
  const { directory, lines, tell, drain, states } = rig();
  tell(RecordKind.OPENED, 1, "anna");
  drain();
  expect(states()).toEqual(["anna connected"]);
  expect(lines).toEqual([]);
  tell(RecordKind.ENDED, 1, "anna", 7);
  drain();
  expect(directory.sessions()).toMatchObject([{ user: "anna", state: "disconnected", server: "rds1", bytesIn: 7 }]);
  expect(lines).toEqual([1]);
});

test("a session whose end found no room in the ring is disconnected all the same; who is there stays", async () => {
  const { tell, fill, drain, compare, states } = rig();
  tell(RecordKind.OPENED, 1, "anna");
  tell(RecordKind.OPENED, 2, "ben");
  drain();
  fill();
  expect(tell(RecordKind.ENDED, 1, "anna")).toBe(false);
  drain();
  expect(states()).toEqual(["anna connected", "ben connected"]);
  await compare(() => open(2));
  expect(states()).toEqual(["anna disconnected", "ben connected"]);
});

test("who comes while the workers are asked is not taken for gone", async () => {
  const { tell, fill, drain, compare, states } = rig();
  fill();
  drain();
  await compare(() => {
    const answer = open();
    tell(RecordKind.OPENED, 1, "anna");
    return answer;
  });
  expect(states()).toEqual(["anna connected"]);
});

test("nobody is asked while nothing was dropped, or again for what was settled; a worker that was silent is", async () => {
  const { tell, fill, drain, compare, states, asked } = rig();
  tell(RecordKind.OPENED, 1, "anna");
  drain();
  await compare(() => open());
  expect(asked()).toBe(0);
  fill();
  drain();
  await compare(() => []);
  expect(states()).toEqual(["anna connected"]);
  await compare(() => open());
  expect(states()).toEqual(["anna disconnected"]);
  await compare(() => open());
  expect(asked()).toBe(2);
});

test("a session whose beginning found no room in the ring is told again; what is known is not", async () => {
  const { tell, fill, drain, compare, states, again } = rig();
  tell(RecordKind.OPENED, 1, "anna");
  drain();
  fill();
  expect(tell(RecordKind.OPENED, 2, "ben")).toBe(false);
  drain();
  await compare(() => open(1, 2));
  expect(again).toEqual([2]);
  tell(RecordKind.OPENED, 2, "ben");
  drain();
  expect(states()).toEqual(["anna connected", "ben connected"]);
});
