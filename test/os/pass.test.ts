import { afterAll, afterEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sys } from "../../src/os/libc.ts";
import { openDoormat, passDescriptors } from "../../src/os/pass.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-pass-"));
const doormat = openDoormat(join(folder, "doormat"));
const open: number[] = [];

afterEach(() => {
  for (const fd of open.splice(0)) sys.close(fd);
});

afterAll(() => {
  doormat.close();
  rmSync(folder, { recursive: true, force: true });
});

const openNow = () => readdirSync("/proc/self/fd").length;

/** Pipes, of which each has a name of its own. */
function pipes(count: number): number[] {
  const pair = new Int32Array(2);
  for (let made = 0; made < count; made += 2) {
    expect(sys.pipe2(pair, 0)).toBe(0);
    open.push(pair[0]!, pair[1]!);
  }
  return [...open];
}

const nameOf = (fd: number) => readlinkSync(`/proc/self/fd/${fd}`);

test("descriptors arrive in order, also more of them than fit in one message", () => {
  const sent = pipes(300);
  passDescriptors(doormat.path, sent);
  const received = doormat.receive(sent.length);
  open.push(...received);
  expect(received.map(nameOf)).toEqual(sent.map(nameOf));
});

test("when fewer come than were promised, none of them stays open", () => {
  const sent = pipes(4);
  const before = openNow();
  passDescriptors(doormat.path, sent);
  expect(() => doormat.receive(5)).toThrow("4 of 5 descriptors came");
  expect(openNow()).toBe(before);
});
