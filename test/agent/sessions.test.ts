import { afterEach, beforeEach, expect, test } from "bun:test";
import { countSessions } from "../../src/agent/sessions.ts";
import { Machine } from "./machine.ts";

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});
afterEach(() => machine.remove());

const RECORD = process.arch === "arm64" ? 400 : 384;
const USER_PROCESS = 7;
const DEAD_PROCESS = 8;

/** utmp(5): type at 0, process at 4. */
function utmp(...records: [type: number, pid: number][]): Buffer {
  const bytes = Buffer.alloc(records.length * RECORD);
  records.forEach(([type, pid], i) => {
    bytes.writeInt16LE(type, i * RECORD);
    bytes.writeInt32LE(pid, i * RECORD + 4);
    bytes.write("pts/0", i * RECORD + 8);
  });
  return bytes;
}

test("a machine that knows of no session has none", () => {
  expect(countSessions(machine.root)).toBe(0);
});

test("logins in utmp count while their process lives", () => {
  machine.process(100, "sshd");
  machine.process(101, "login");
  machine.write("run/utmp", utmp([USER_PROCESS, 100], [DEAD_PROCESS, 101], [USER_PROCESS, 999], [2, 101]));
  expect(countSessions(machine.root)).toBe(1);
});

test("a utmp that is cut off is read as far as it goes", () => {
  machine.process(100, "sshd");
  machine.write("run/utmp", utmp([USER_PROCESS, 100], [USER_PROCESS, 100]).subarray(0, RECORD + 10));
  expect(countSessions(machine.root)).toBe(1);
});

test("sessions of systemd's login manager count, but not greeters and not those that are closing", () => {
  machine.write("run/systemd/sessions/1", "UID=1000\nCLASS=user\nSTATE=active\n");
  machine.write("run/systemd/sessions/2", "UID=1001\nCLASS=user\nSTATE=online\n");
  machine.write("run/systemd/sessions/3", "UID=1001\nCLASS=user\nSTATE=closing\n");
  machine.write("run/systemd/sessions/c1", "UID=115\nCLASS=greeter\nSTATE=active\n");
  expect(countSessions(machine.root)).toBe(2);
});

test("sessions of xrdp count by the process that each of them has", () => {
  for (const id of [10, 11, 12]) machine.process(id, "xrdp-chansrv");
  machine.process(13, "xrdp-sesman");
  expect(countSessions(machine.root)).toBe(3);
});

test("a session that stands in several places is counted once", () => {
  machine.process(10, "xrdp-chansrv");
  machine.process(11, "xrdp-chansrv");
  machine.write("run/utmp", utmp([USER_PROCESS, 10]));
  machine.write("run/systemd/sessions/1", "CLASS=user\nSTATE=active\n");
  expect(countSessions(machine.root)).toBe(2);
});
