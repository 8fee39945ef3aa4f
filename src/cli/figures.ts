/** Numbers as people read them: `2h 14m`, `18.4 MiB`, `0.4`, `1,204`, local time. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A duration in its two largest units, the second left out where it is 0. Under a second: milliseconds. */
export function durationText(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  const units: [string, number][] = [
    ["d", DAY],
    ["h", HOUR],
    ["m", MINUTE],
    ["s", SECOND],
  ];
  const first = units.findIndex(([, size]) => ms >= size);
  const [unit, size] = units[first]!;
  const whole = `${Math.floor(ms / size)}${unit}`;
  const next = units[first + 1];
  const rest = next === undefined ? 0 : Math.floor((ms % size) / next[1]);
  return rest === 0 ? whole : `${whole} ${String(rest).padStart(next![0] === "h" ? 1 : 2, "0")}${next![0]}`;
}

/** How long ago an RFC 3339 time is. */
export function sinceText(time: string, now: number): string {
  return durationText(Math.max(SECOND, now - Date.parse(time)));
}

/** Bytes in the unit that leaves 1 to 1023 before the point. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A number of things each second, without its unit: that stands in the header. */
export function rateText(perSecond: number): string {
  return perSecond >= 100 ? countText(Math.round(perSecond)) : perSecond.toFixed(1);
}

/** A whole number with commas between thousands. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 server", "2 servers". */
export function plural(count: number, thing: string): string {
  return `${countText(count)} ${thing}${count === 1 ? "" : "s"}`;
}

/** A ratio as per cent, cut rather than rounded up: 100 % means all. */
export function percentText(ratio: number): string {
  const cut = Math.floor(ratio * 10_000) / 100;
  return `${cut === Math.round(cut) ? cut : cut.toFixed(2)} %`;
}

/** Local time of day; with the date when that is not today. `seconds` for moments that people wait for. */
export function clockText(time: string | number, now: number, seconds = false): string {
  const at = new Date(time);
  const two = (part: number) => String(part).padStart(2, "0");
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}${seconds ? `:${two(at.getSeconds())}` : ""}`;
  if (at.toDateString() === new Date(now).toDateString()) return clock;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock}`;
}
