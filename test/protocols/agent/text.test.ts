import { describe, expect, test } from "bun:test";
import { AGENT_EMPTY, AGENT_TOO_LONG, newAgentReport, readAgentText } from "../../../src/protocols/agent/text.ts";
import { NEED_MORE } from "../../../src/protocols/result.ts";
import { text } from "../bytes.ts";

const out = newAgentReport();
const read = (line: string, ended = true) => readAgentText(text(line), 0, line.length, ended, out);

/** What the line says: only the members that are set. */
function said(line: string): object {
  expect(read(line)).toBeGreaterThan(0);
  return Object.fromEntries(
    Object.entries(out).filter(([, value]) => value !== undefined && value !== "" && value.length !== 0),
  );
}

describe("an agent says", () => {
  const lines: [string, object][] = [
    ["75%", { percent: 75 }],
    ["up ready 75%", { admin: "ready", health: "up", percent: 75 }],
    ["drain", { admin: "drain" }],
    ["down", { health: "down" }],
    ["weight:20", { weight: 20 }],
    ["weight:150%", { percent: 150 }],
    ["weight:0", { weight: 0 }],
    ["maxconn:30", { maxconn: 30 }],
    ["MAINT,Stopped\tmaxconn:0", { admin: "maint", health: "stopped", maxconn: 0 }],
    ["fail #disk full, again", { health: "fail", reason: "disk full, again" }],
    ["#starting", { reason: "starting" }],
    ["down#backup", { health: "down", reason: "backup" }],
  ];
  for (const [line, expected] of lines) test(line, () => expect(said(line)).toEqual(expected));
});

test("the last word of each category counts", () => {
  expect(said("up down ready drain 10% weight:7 maxconn:1 maxconn:2")).toEqual({
    health: "down",
    admin: "drain",
    weight: 7,
    maxconn: 2,
  });
});

test("words that mean nothing are reported and spoil nothing", () => {
  expect(said("hello up 50 weight:257 weight:-1 maxconn: -5% 50%")).toEqual({
    health: "up",
    percent: 50,
    unknown: ["hello", "50", "weight:257", "weight:-1", "maxconn:", "-5%"],
  });
});

test("many unknown words fill nothing", () => {
  read("x ".repeat(400));
  expect(out.unknown).toHaveLength(8);
});

test("the answer before leaves nothing behind", () => {
  said("maint 5% maxconn:3 down #why nonsense");
  expect(said("up")).toEqual({ health: "up" });
});

test("a line ends at CR or LF; without one it is whole when the connection has ended", () => {
  expect(read("up\ndown\n")).toBe(3);
  expect(out.health).toBe("up");
  expect(read("up", false)).toBe(NEED_MORE);
  expect(read("up")).toBe(2);
});

test("control characters do not reach a log", () => {
  read("down #a\u001b[31mb\u0000");
  expect(out.reason).toBe("a?[31mb?");
});

test("silence and endless lines are refused", () => {
  expect(read("")).toBe(AGENT_EMPTY);
  expect(read(" , ")).toBe(AGENT_EMPTY);
  expect(read("a".repeat(1024), false)).toBe(AGENT_TOO_LONG);
});
