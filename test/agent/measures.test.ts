import { describe, expect, test } from "bun:test";
import { describe as inWords, loadOf } from "../../src/agent/load.ts";
import { cpuShare, readCpuTicks, readLoadShare, readMemoryShare } from "../../src/agent/measures.ts";

/** /proc/stat of a machine with two cores: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice. */
const STAT = (user: number, idle: number) => `cpu  ${user} 10 20 ${idle} 30 4 5 6 1 0
cpu0 ${user} 5 10 ${idle} 15 2 3 3 1 0
cpu1 0 5 10 0 15 2 2 3 0 0
intr 1234 5 6
ctxt 99
`;

describe("what Linux says about itself", () => {
  test("CPU time that waits for disks is idle, guest time is not counted twice", () => {
    expect(readCpuTicks(STAT(100, 800))).toEqual({ busy: 145, total: 975, cores: 2 });
  });

  test("the CPU share is that of the time between two readings", () => {
    const [before, after] = [readCpuTicks(STAT(100, 800))!, readCpuTicks(STAT(175, 825))!];
    expect(cpuShare(before, after)).toBe(0.75);
    expect(cpuShare(after, after)).toBe(0);
    expect(cpuShare(after, before)).toBe(0);
  });

  test("memory that could be had now is not in use", () => {
    expect(readMemoryShare("MemTotal:     1000 kB\nMemFree:   10 kB\nMemAvailable:  250 kB\n")).toBe(0.75);
  });

  test("the load average counts for each core, and 1 is all there is", () => {
    expect(readLoadShare("1.00 0.50 0.25 2/345 6789\n", 4)).toBe(0.25);
    expect(readLoadShare("9.00 0.50 0.25 2/345 6789\n", 4)).toBe(1);
  });

  test("a text that is not right is no measure", () => {
    expect([readCpuTicks(""), readMemoryShare("MemTotal: 0 kB"), readLoadShare("busy", 1)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("one number out of all", () => {
  const role = (weights: object, fullSessions = 40) => ({
    weights: { cpu: 0, memory: 0, load: 0, sessions: 0, ...weights },
    fullSessions,
  });
  const measured = { cpu: 0.2, memory: 0.6, load: 0.1, sessions: 10 };

  test.each<[string, object, number]>([
    ["cpu alone", { cpu: 1 }, 20],
    ["cpu and memory in equal parts", { cpu: 1, memory: 1 }, 40],
    ["memory three times as much as cpu", { cpu: 1, memory: 3 }, 50],
    ["sessions beside the full count", { sessions: 2 }, 25],
    ["load average", { load: 0.5 }, 10],
    ["nothing", {}, 0],
  ])("%s", (_name, weights, load) => {
    expect(loadOf(measured, role(weights))).toBe(load);
  });

  test("a busy CPU alone never closes a server", () => {
    expect(loadOf({ ...measured, cpu: 1 }, role({ cpu: 1 }))).toBe(98);
  });

  test("full memory or full sessions close it, however idle the rest is, if they count at all", () => {
    expect(loadOf({ ...measured, memory: 0.99 }, role({ cpu: 100, memory: 1 }))).toBe(99);
    expect(loadOf({ ...measured, sessions: 40 }, role({ cpu: 100, sessions: 1 }))).toBe(99);
    expect(loadOf({ ...measured, memory: 0.99, sessions: 40 }, role({ cpu: 1 }))).toBe(20);
  });

  test("what was measured is told in words", () => {
    expect(inWords(measured)).toBe("cpu 20 %, memory 60 %, load 10 %, 10 sessions");
  });
});
