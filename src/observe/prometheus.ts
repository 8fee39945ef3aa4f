/** Prometheus text format 0.0.4: names, labels, values. Only what this program needs of it: counters, gauges, histograms. */

export type Labels = Readonly<Record<string, string>>;

/** The content type that scrapers expect. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Builds one scrape. A family is declared once, before its series; series of a family stay together. */
export class PrometheusText {
  #lines: string[] = [];
  #name = "";
  #series = 0;

  /** Begins a family; the series that follow belong to it. */
  family(name: string, type: "counter" | "gauge" | "histogram", help: string): void {
    this.#name = name;
    this.#lines.push(
      `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
      `# TYPE ${name} ${type}`,
    );
  }

  /** One series of the family. */
  value(labels: Labels, value: number): void {
    this.#line(this.#name, labels, value);
  }

  /** One histogram: `buckets` are counts (not yet summed up), one more than `bounds`. */
  histogram(labels: Labels, bounds: readonly number[], buckets: readonly number[], sum: number): void {
    let below = 0;
    for (let i = 0; i < bounds.length; i++) {
      below += buckets[i] ?? 0;
      this.#line(`${this.#name}_bucket`, { ...labels, le: String(bounds[i]) }, below);
    }
    below += buckets[bounds.length] ?? 0;
    this.#line(`${this.#name}_bucket`, { ...labels, le: "+Inf" }, below);
    this.#line(`${this.#name}_sum`, labels, sum);
    this.#line(`${this.#name}_count`, labels, below);
  }

  /** Series so far. */
  series(): number {
    return this.#series;
  }

  /** The whole scrape. */
  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  #line(name: string, labels: Labels, value: number): void {
    this.#series++;
    let inside = "";
    for (const key in labels) inside += `${inside === "" ? "" : ","}${key}="${escapeLabel(labels[key]!)}"`;
    this.#lines.push(`${name}${inside === "" ? "" : `{${inside}}`} ${valueText(value)}`);
  }
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function valueText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}
