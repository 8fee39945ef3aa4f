/** Sizes and shares of the YAML to numbers. Each parser is pure and total, as those of `quantities.ts`. */
import { readAs } from "./section.ts";

const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 };

/** Reads a size such as `512B`, `16KiB` or `1MiB`: bytes. */
export function parseSize(text: string): number | { hint: string | undefined } {
  const match = /^(\d{1,9})\s*([a-z]{0,5})$/i.exec(text);
  if (match === null) return { hint: undefined };
  const [, digits = "", written = ""] = match;
  if (written === "") return { hint: `Write \`${digits}B\` for bytes.` };
  const unit = BYTES[written] === undefined ? longUnit(written) : written;
  if (unit === undefined) return { hint: undefined };
  if (text !== digits + unit) return { hint: `Write \`${digits}${unit}\`.` };
  return Number(digits) * BYTES[unit]!;
}

/** `k`, `kb` and `KB` are meant as they are meant everywhere else in such files. */
function longUnit(written: string): string | undefined {
  const letter = /^([bkmg])(?:i?b|ytes)?$/i.exec(written)?.[1]?.toUpperCase();
  return letter === undefined ? undefined : letter === "B" ? "B" : `${letter}iB`;
}

/** Bytes as the YAML would say them. */
export function formatSize(bytes: number): string {
  const unit = ["GiB", "MiB", "KiB"].find((name) => bytes > 0 && bytes % BYTES[name]! === 0) ?? "B";
  return `${bytes / BYTES[unit]!}${unit}`;
}

/** A size from `least` to `most` bytes, both allowed. */
export function size(least: number, most: number) {
  return readAs<number>(
    { title: "a size", code: "config/bad-size", expected: `a size from ${formatSize(least)} to ${formatSize(most)}` },
    parseSize,
  ).refine((bytes) => bytes >= least && bytes <= most, {
    params: { message: `the size must be from ${formatSize(least)} to ${formatSize(most)}` },
  });
}

/** A share such as `50%`: 0 to 1. */
export const share = readAs<number>(
  { title: "a share", code: "config/bad-share", expected: "a share such as `50%`, from `1%` to `100%`" },
  (text) => {
    const match = /^(\d{1,3})(%?)$/.exec(text);
    const percent = Number(match?.[1]);
    if (match === null || percent === 0 || percent > 100) return { hint: undefined };
    return match[2] === "" ? { hint: `Write \`${percent}%\`.` } : percent / 100;
  },
);
