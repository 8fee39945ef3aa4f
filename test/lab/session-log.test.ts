import { describe, expect, test } from "bun:test";
import { EventLog, sessionLogReader } from "./session-log.ts";

const STARTING =
  "[20261121-01:38:20] [INFO ] Starting session: session_pid 38, display :4500.0, width 640, height 480, bpp 24, client ip 127.0.0.1:59562 - socket: 12, user name alice";
const ATTACHING =
  "[20261121-01:38:20] [INFO ] lib_mod_log_peer: xrdp_pid=37 connected to X11rdp_pid=40 X11rdp_uid=1001 X11rdp_gid=1001 client_ip=127.0.0.1 client_port=59562";
const RECONNECTING =
  "[20261121-01:38:26] [INFO ] ++ reconnected session: username alice, display :4500.0, session_pid 38, ip 127.0.0.1:59570 - socket: 12";
const ATTACHING_AGAIN =
  "[20261121-01:38:26] [INFO ] lib_mod_log_peer: xrdp_pid=51 connected to X11rdp_pid=40 X11rdp_uid=1001 X11rdp_gid=1001 client_ip=127.0.0.1 client_port=59570";

const SESSION = { server: "rds1", user: "alice", display: ":4500" };
const FIRST = { ...SESSION, client: "127.0.0.1:59562" };
const SECOND = { ...SESSION, client: "127.0.0.1:59570" };

describe("the log of xrdp 0.9.21 and its session manager", () => {
  test("a new session, its screen and a return are read from the lines that xrdp writes", () => {
    const read = sessionLogReader("rds1");
    expect(read(STARTING)).toEqual([{ kind: "created", ...FIRST }]);
    expect(read(ATTACHING)).toEqual([{ kind: "attached", ...FIRST }]);
    expect(read(RECONNECTING)).toEqual([{ kind: "reconnected", ...SECOND }]);
    expect(read(ATTACHING_AGAIN)).toEqual([{ kind: "attached", ...SECOND }]);
  });

  test("a screen that is written of before its session, as on a busy machine, is known once the session is", () => {
    const read = sessionLogReader("rds1");
    expect(read(ATTACHING_AGAIN)).toEqual([]);
    expect(read(RECONNECTING)).toEqual([
      { kind: "reconnected", ...SECOND },
      { kind: "attached", ...SECOND },
    ]);
  });

  test("who comes later from the same port is not taken for who was there before", () => {
    const read = sessionLogReader("rds1");
    for (const line of [STARTING, ATTACHING]) read(line);
    expect(read(ATTACHING)).toEqual([]);
    expect(read(STARTING.replace("alice", "bob"))).toEqual([
      { kind: "created", ...FIRST, user: "bob" },
      { kind: "attached", ...FIRST, user: "bob" },
    ]);
  });

  test("other lines, and a screen whose session was never handed out, are no events", () => {
    const read = sessionLogReader("rds1");
    expect(read("[20261121-01:38:04] [INFO ] xrdp_listen_pp done")).toEqual([]);
    expect(read(ATTACHING)).toEqual([]);
    expect(read(RECONNECTING)).toEqual([{ kind: "reconnected", ...SECOND }]);
  });
});

describe("an event log", () => {
  test("waiting finds what has happened and what is still to come, from a place on", async () => {
    const log = new EventLog<number>();
    log.add(1);
    expect(await log.waitFor("one", (n) => n === 1, 1000)).toBe(1);
    const later = log.waitFor("one again", (n) => n === 1, 1000, log.events.length);
    log.add(2);
    log.add(1);
    expect(await later).toBe(1);
  });

  test("waiting for what never happens ends at its limit and says what it waited for", async () => {
    const log = new EventLog<number>();
    log.add(7);
    expect(log.waitFor("an eight", (n) => n === 8, 5)).rejects.toThrow(
      "waited 5 ms for an eight; the last of what happened since: [7]",
    );
  });
});
