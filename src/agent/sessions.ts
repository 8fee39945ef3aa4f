/**
 * How many people are logged in. Three places know of sessions, none of them of all: utmp (text and ssh logins, many
 * desktops), systemd's login manager, and xrdp, whose every session has one `xrdp-chansrv`. The same session may stand in
 * all three, so the largest count is taken, never the sum.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** utmp(5): `short ut_type`, `pid_t ut_pid` at 4. A record is longer where its times have 64 bits. */
const UTMP_RECORD = process.arch === "arm64" ? 400 : 384;
const USER_PROCESS = 7;
const UTMP_PID = 4;
/** One process of a session of xrdp. */
const XRDP_SESSION_PROCESS = "xrdp-chansrv";

/** Sessions on the machine whose file tree begins at `root`. What cannot be read counts as none. */
export function countSessions(root: string): number {
  return Math.max(countUtmp(root), countLogind(root), countProcesses(root, XRDP_SESSION_PROCESS));
}

/** Logins in utmp whose process lives: a crash leaves records behind. */
function countUtmp(root: string): number {
  const bytes = attempt(() => readFileSync(join(root, "run/utmp"))) ?? Buffer.alloc(0);
  let sessions = 0;
  for (let at = 0; at + UTMP_RECORD <= bytes.length; at += UTMP_RECORD) {
    if (bytes.readInt16LE(at) !== USER_PROCESS) continue;
    if (existsSync(join(root, "proc", String(bytes.readInt32LE(at + UTMP_PID))))) sessions++;
  }
  return sessions;
}

/** Sessions of people in `/run/systemd/sessions`, which `loginctl` shows; not greeters, not those that are closing. */
function countLogind(root: string): number {
  const folder = join(root, "run/systemd/sessions");
  const files = attempt(() => readdirSync(folder, { withFileTypes: true })) ?? [];
  return files.filter((file) => {
    const text = file.isFile() ? attempt(() => readFileSync(join(folder, file.name), "utf8")) : undefined;
    return text !== undefined && /^CLASS=user$/m.test(text) && !/^STATE=closing$/m.test(text);
  }).length;
}

function countProcesses(root: string, name: string): number {
  const proc = join(root, "proc");
  const ids = (attempt(() => readdirSync(proc)) ?? []).filter((entry) => /^\d+$/.test(entry));
  return ids.filter((id) => attempt(() => readFileSync(join(proc, id, "comm"), "utf8"))?.trimEnd() === name).length;
}

/** Files of /proc and /run come and go while they are read. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
