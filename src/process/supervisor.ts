/**
 * The small process in front of the balancer: starts it again when the runtime itself crashes, passes signals on, and ends
 * when it ends in order. It opens nothing and reads nothing, so there is little that could crash it.
 */
import { constants } from "node:os";
import { openSink } from "../observe/log.ts";
import { ownCommand } from "../program.ts";

/** Ends that are meant: done, refused to start, a file that cannot be used, a second signal. */
const MEANT = new Set([0, 1, 78, 130, 143]);
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** Who has served this long begins again without a long pause. */
const SETTLED_MS = 60_000;
const PASSED_ON = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** In the environment of a balancer that has a supervisor. */
export const SUPERVISED = "HOLDFAST_SUPERVISED";

/**
 * Runs `holdfast ARGUMENTS` until it ends on purpose. @returns its exit code.
 * `again` replaces the arguments after a crash (a takeover is not repeated).
 */
export async function supervise(first: readonly string[], again: readonly string[]): Promise<number> {
  // A reader that has gone, or does not read, keeps nobody from being started again.
  const sink = openSink();
  let pause = FIRST_PAUSE_MS;
  let ending = false;
  let pid = 0;
  for (const signal of PASSED_ON) {
    process.on(signal, () => {
      ending ||= signal !== "SIGHUP";
      if (pid > 0) process.kill(pid, signal);
    });
  }
  for (let args = first; ; args = again) {
    const began = performance.now();
    const child = Bun.spawn([...ownCommand(), ...args], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, [SUPERVISED]: "1" },
    });
    pid = child.pid;
    const code = await child.exited;
    pid = 0;
    const signal = child.signalCode;
    if (signal === null && MEANT.has(code)) return code;
    if (ending) return signal === null ? code : 128 + constants.signals[signal as keyof typeof constants.signals];
    if (performance.now() - began > SETTLED_MS) pause = FIRST_PAUSE_MS;
    const what = signal === null ? `ended with ${code}` : `was ended by ${signal}`;
    const line = {
      time: new Date().toISOString(),
      level: "error",
      event: "process.restarted",
      msg: `the balancer ${what}; it starts again`,
    };
    sink.write(`${JSON.stringify(line)}\n`);
    await Bun.sleep(pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}
