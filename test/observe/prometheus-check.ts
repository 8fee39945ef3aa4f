/** A strict reader of Prometheus text format 0.0.4: throws at the first line that a scraper could trip over. */

export interface Family {
  type: string;
  series: { name: string; labels: Record<string, string>; value: number }[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/;
const VALUE = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|NaN|[+-]Inf)$/i;

/** Families by name. */
export function readPrometheus(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: [string, Family] | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP (\S+) (.+)$/.exec(line);
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (help !== null) {
      if (!NAME.test(help[1]!)) throw new Error(`bad name: ${line}`);
      if (families.has(help[1]!)) throw new Error(`a family twice: ${line}`);
      current = undefined;
    } else if (type !== null) {
      current = [type[1]!, { type: type[2]!, series: [] }];
      families.set(...current);
      if (type[2] === "counter" && !type[1]!.endsWith("_total")) throw new Error(`a counter without _total: ${line}`);
    } else {
      if (current === undefined) throw new Error(`a series without its family: ${line}`);
      const series = readSeries(line);
      const suffixes = current[1].type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      if (!suffixes.some((suffix) => series.name === current![0] + suffix))
        throw new Error(`not of this family: ${line}`);
      const identity = line.slice(0, line.lastIndexOf(" "));
      if (seen.has(identity)) throw new Error(`a series twice: ${line}`);
      seen.add(identity);
      current[1].series.push(series);
    }
  }
  for (const [name, family] of families) if (family.type === "histogram") checkHistogram(name, family);
  return families;
}

function readSeries(line: string): Family["series"][number] {
  const match = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null || !NAME.test(match[1]!) || !VALUE.test(match[3]!)) throw new Error(`bad line: ${line}`);
  const labels: Record<string, string> = {};
  for (let rest = match[2] ?? ""; rest !== ""; ) {
    const label = LABEL.exec(rest);
    if (label === null) throw new Error(`bad labels: ${line}`);
    if (label[1]! in labels) throw new Error(`a label twice: ${line}`);
    labels[label[1]!] = label[2]!.replace(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped));
    rest = rest.slice(label[0].length);
  }
  return { name: match[1]!, labels, value: Number(match[3]!.replace("Inf", "Infinity")) };
}

function checkHistogram(name: string, family: Family): void {
  const groups = Map.groupBy(family.series, ({ labels: { le: _, ...labels } }) => JSON.stringify(labels));
  for (const group of groups.values()) {
    const buckets = group.filter((series) => series.name.endsWith("_bucket"));
    const bounds = buckets.map(({ labels }) => Number(labels.le!.replace("+Inf", "Infinity")));
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name} has no last bucket`);
    for (let i = 1; i < buckets.length; i++) {
      if (bounds[i]! <= bounds[i - 1]!) throw new Error(`${name}: bounds do not grow`);
      if (buckets[i]!.value < buckets[i - 1]!.value) throw new Error(`${name}: counts fall`);
    }
    const count = group.find((series) => series.name.endsWith("_count"));
    if (count?.value !== buckets.at(-1)!.value) throw new Error(`${name}: count is not the last bucket`);
    if (!group.some((series) => series.name.endsWith("_sum"))) throw new Error(`${name} has no sum`);
  }
}
