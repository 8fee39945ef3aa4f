/** The run as a Markdown page: what was measured where, a table for each protocol, how it was done. */
import { cpus, release, totalmem } from "node:os";
import { median, type Ratio, ROWS, type Row, ratioOf, type Samples, TABLES, type Table, verdict } from "./figures.ts";
import type { Peer } from "./peers.ts";

export interface Facts {
  date: string;
  command: string;
  commit: string;
  rounds: number;
  threads: number;
  pinned: boolean;
  /** The version of each peer, by its name. */
  versions: Map<string, string>;
  /** How much work a round is, for the reader. */
  work: string[];
}

/** The column of clients that dial the servers themselves: the floor of latencies, the ceiling of rates. */
export const DIRECT = "direct";

export function report(facts: Facts, peers: Peer[], tables: Table[], samples: Samples): string {
  const machine = cpus();
  return [
    "# Holdfast beside other balancers",
    "",
    `- Machine: ${machine[0]?.model.trim()}, ${machine.length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; Linux ${release()}`,
    `- Date: ${facts.date}; commit ${facts.commit}; Bun ${Bun.version}`,
    `- Command: \`${facts.command}\``,
    ...peers.map((peer) => `- ${peer.name}: ${facts.versions.get(peer.name)}`),
    "",
    ...tables.flatMap((name) => [`## ${name}`, "", ...table(peers, name, samples), ""]),
    `Medians of ${facts.rounds} rounds in which the balancers take turns. A ratio is the median of the rounds' own ratios, ` +
      "with the least and the most of them; below 1 Holdfast is ahead. The target is 1.00 of HAProxy; above 1.25 is a defect.",
    "",
    ...facts.work.map((line) => `- ${line}`),
    `- ${facts.threads} thread(s) moving bytes on each side${facts.pinned ? ", on cores of their own" : ""}; loggers and health checks off.`,
    "- CPU is time on a CPU of all threads of all processes of a balancer (the scheduler's count), Holdfast's control " +
      "plane and supervisor included. What the kernel does for a connection on behalf of its peers is not in it.",
    "- Latencies are what is added to a direct connection in the same round. Memory is what the processes have " +
      "allocated: neither the program's text nor what the kernel keeps for sockets is in it. MB is 2^20 bytes.",
    "- Connections a second are bounded by the load, which has cores of its own, where a balancer's cores are not busy.",
    "",
  ].join("\n");
}

function table(peers: Peer[], name: Table, samples: Samples): string[] {
  const columns = peers.filter((peer) => peer.listeners.includes(TABLES[name]));
  const [ours, ...others] = columns;
  if (!ours) return [];
  const titles = ["", ...columns.map((peer) => peer.name), DIRECT, ...others.map((peer) => `of ${peer.name}`)];
  const lines = ROWS.filter((row) => samples.series(name, row.key, ours.name).length > 0).map((row) => {
    const own = samples.series(name, row.key, ours.name);
    const figures = [...columns.map((peer) => peer.name), DIRECT].map((column) =>
      figure(row, samples.series(name, row.key, column)),
    );
    const ratios = others.map((peer) =>
      ratioCell(row, peer, ratioOf(own, samples.series(name, row.key, peer.name), row.better)),
    );
    return [row.unit ? `${row.title} (${row.unit})` : row.title, ...figures, ...ratios];
  });
  const rule = titles.map((_, n) => (n === 0 ? "---" : "---:"));
  return [titles, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`);
}

function figure(row: Row, series: number[]): string {
  return series.length === 0 ? "" : median(series).toFixed(row.digits);
}

function ratioCell(row: Row, peer: Peer, ratio: Ratio | undefined): string {
  if (row.ratio === "none") return "";
  if (!ratio) return "in the noise";
  const text = `${ratio.median.toFixed(2)} (${ratio.least.toFixed(2)}-${ratio.most.toFixed(2)})`;
  const judged = row.ratio === "judged" && peer.name.startsWith("HAProxy") ? verdict(ratio.median) : "met";
  return judged === "met" ? text : `${text} **${judged}**`;
}
