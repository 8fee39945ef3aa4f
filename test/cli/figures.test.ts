import { describe, expect, test } from "bun:test";
import { bytesText, clockText, countText, durationText, percentText, plural, rateText } from "../../src/cli/figures.ts";

describe("figures as people read them", () => {
  test("durations have two units at most", () => {
    const texts = [0, 2.4, 999, 4_000, 60_000, 372_000, 600_000, 601_000, 8_040_000, 1_051_200_000].map(durationText);
    expect(texts).toEqual(["0 ms", "2 ms", "999 ms", "4s", "1m", "6m 12s", "10m", "10m 01s", "2h 14m", "12d 4h"]);
  });

  test("bytes never show four digits before the point", () => {
    const texts = [0, 512, 1023, 1024, 18.4 * 1024 ** 2, 1024 ** 2 - 1, 1023.94 * 1024 ** 3].map(bytesText);
    expect(texts).toEqual(["0 B", "512 B", "1023 B", "1.0 KiB", "18.4 MiB", "1.0 MiB", "1023.9 GiB"]);
  });

  test("100 % means all", () => {
    expect([1, 0.99999, 0.9997, 0.5, 0].map(percentText)).toEqual(["100 %", "99.99 %", "99.97 %", "50 %", "0 %"]);
  });

  test("counts and rates", () => {
    expect([0, 999, 1_204, 12_345_678].map(countText)).toEqual(["0", "999", "1,204", "12,345,678"]);
    expect([0, 0.42, 99.9, 1_234.5].map(rateText)).toEqual(["0.0", "0.4", "99.9", "1,235"]);
    expect([plural(1, "server"), plural(0, "server")]).toEqual(["1 server", "0 servers"]);
  });

  test("another day's time says which day", () => {
    const now = new Date(2026, 10, 21, 14, 35, 12).getTime();
    expect(clockText(new Date(2026, 10, 21, 9, 5, 7).getTime(), now)).toBe("09:05");
    expect(clockText(new Date(2026, 10, 21, 9, 5, 7).getTime(), now, true)).toBe("09:05:07");
    expect(clockText(new Date(2026, 10, 20, 9, 5, 7).getTime(), now)).toBe("2026-11-20 09:05");
  });
});
