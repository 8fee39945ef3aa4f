/** `holdfast status` as text: what needs attention first, then totals, then detail. Fits its width by dropping columns. */
import type { PoolStatus, ServerStatus, ServiceStatus, StatusReport } from "../balancer/control/balancer.ts";
import { printable } from "../config/problem.ts";
import { bytesText, clockText, countText, durationText, percentText, plural, rateText, sinceText } from "./figures.ts";
import { align, type Cell, cell, columnWidths, cut, fitting, GAP, type Line, number, widthOf } from "./line.ts";
import { severitySign, stateStyle, stateText } from "./state.ts";

/** More attention than this is counted, not listed. */
const MAX_ATTENTION = 5;
const MAX_NAME = 24;

export interface StatusView {
  width: number;
  /** Unix milliseconds. */
  now: number;
  glyphs: boolean;
}

/** The whole picture. */
export function statusLines(status: StatusReport, view: StatusView): Line[] {
  return [...headerLines(status, view), ...attentionLines(status, view), ...tableLines(status, view)];
}

/** The first line, also what systemd shows: without its least important parts where they do not fit. */
function headerLines(status: StatusReport, view: StatusView): Line[] {
  const { generation, workers, ownSession, predecessor } = status;
  const running = workers.filter((worker) => worker.state === "running").length;
  const all = plural(workers.length, "worker");
  const parts = [
    status.node,
    `up ${sinceText(status.upSince, view.now)}`,
    `generation ${generation.number} of ${clockText(generation.at, view.now)}`,
    running === workers.length ? all : `${running} of ${all}`,
  ];
  const own =
    ownSession.ratio === null
      ? "own session: nobody has come back yet"
      : `own session ${percentText(ownSession.ratio)} (${countText(ownSession.own)} of ${countText(ownSession.came)})`;
  const joined = [...parts, own].join("   ");
  const lines = widthOf(joined) <= view.width ? [joined] : [parts.join("   "), own];
  if (predecessor !== undefined) {
    lines.push(
      `taken over from pid ${predecessor.pid}, which still has ${plural(predecessor.connections, "connection")}`,
    );
  }
  return lines.map((text) => [cell(text)]);
}

/** As many to a line as fit. */
function attentionLines(status: StatusReport, view: StatusView): Line[] {
  const lines: Cell[][] = [];
  let used = view.width;
  for (const { severity, text } of status.attention.slice(0, MAX_ATTENTION)) {
    const sign = severitySign(severity, view) + printable(text);
    // lineText puts GAP between cells; three more spaces set one matter off from the next.
    const apart = widthOf(sign) + GAP + 3;
    const style = severity === "error" ? "red" : "amber";
    if (used + apart <= view.width) lines.at(-1)!.push(cell(`   ${sign}`, style));
    else lines.push([cell(sign, style)]);
    used = lines.at(-1)!.length === 1 ? widthOf(sign) : used + apart;
  }
  const more = status.attention.length - MAX_ATTENTION;
  if (more > 0) lines.push([cell(`and ${countText(more)} more: holdfast status --json`)]);
  return lines;
}

function tableLines(status: StatusReport, view: StatusView): Line[] {
  const header: Line = ["SERVICE", "LISTEN", "STATE", "SESSIONS", "OPEN"].map((text, i) =>
    i < 3 ? cell(text) : number(text),
  );
  const services = status.services.map((service) => serviceCells(service, view));
  const servers = status.pools.map((pool) => pool.servers.map((server, i) => serverCells(pool, server, i, view)));
  const widths = columnWidths([header, ...services, ...servers.flat()]);
  const left = view.width - widths.reduce((sum, width) => sum + width + GAP, 0);

  const tails = aligned(fitting(serviceTails(status.services), left));
  const notes = aligned(fitting(serverTails(status.pools, view), left));
  const withTail = (row: Line, tail: Line | undefined): Line => [...align(row, widths), ...(tail ?? [])];
  const lines: Line[] = [];
  if (services.length > 0) lines.push(withTail(header, tails[0]));
  services.forEach((row, i) => {
    lines.push(withTail(row, tails[i + 1]));
  });
  let at = 0;
  status.pools.forEach((pool, i) => {
    for (const row of servers[i]!) lines.push(withTail(row, notes[at++]));
    if (pool.queued > 0) {
      lines.push(align([cell(""), cell(`${plural(pool.queued, "client")} waiting for a server`, "amber")], widths));
    }
  });
  return lines;
}

function aligned(rows: readonly Line[]): Line[] {
  const widths = columnWidths(rows);
  return rows.map((row) => align(row, widths));
}

function serviceCells(service: ServiceStatus, view: StatusView): Line {
  const more = service.listen.length > 1 ? ` +${service.listen.length - 1}` : "";
  const key = (what: string) => `service ${service.name} ${what}`;
  return [
    cell(cut(service.name, MAX_NAME)),
    cell((service.listen[0] ?? "") + more),
    { ...cell(stateText(service.state, view.glyphs), stateStyle(service.state)), key: key("state") },
    number(countText(service.sessions), key("sessions")),
    number(countText(service.open), key("open")),
  ];
}

function serverCells(pool: PoolStatus, server: ServerStatus, index: number, view: StatusView): Line {
  const key = (what: string) => `server ${pool.name}/${server.name} ${what}`;
  return [
    cell(index === 0 ? cut(`POOL ${pool.name}`, MAX_NAME) : ""),
    cell(cut(server.name, MAX_NAME)),
    { ...cell(stateText(server.state, view.glyphs), stateStyle(server.state)), key: key("state") },
    number(countText(server.sessions.connected + server.sessions.disconnected), key("sessions")),
    number(countText(server.open), key("open")),
  ];
}

/**
 * Columns of services behind the common ones, with their header; fewer and fewer. Requests are told where there is a service
 * of HTTP, and stay the longest: connections say little of it.
 */
function serviceTails(services: readonly ServiceStatus[]): Line[][] {
  const rates = (service: ServiceStatus) => {
    const key = (what: string) => `service ${service.name} ${what}`;
    return [
      number(service.http ? rateText(service.http.requestsPerSec) : "", key("requests")),
      number(rateText(service.newPerSec), key("new")),
      number(bytesText(service.inPerSec), key("in")),
      number(bytesText(service.outPerSec), key("out")),
    ];
  };
  const all = [["REQ/s", "NEW/s", "IN/s", "OUT/s"].map((text) => number(text)), ...services.map(rates)];
  const choices = services.some(({ http }) => http) ? [[0, 1, 2, 3], [0, 2, 3], [0]] : [[1, 2, 3], [2, 3], [1]];
  return [...choices, []].map((columns) => all.map((row) => columns.map((column) => row[column]!)));
}

/** What is said of servers behind the common columns: load, connect time, and always since when, who and why. */
function serverTails(pools: readonly PoolStatus[], view: StatusView): Line[][] {
  const tails = (note: typeof serverNote) =>
    pools.flatMap((pool) => pool.servers.map((server) => serverTail(server, note(server, view))));
  const all = tails(serverNote);
  return [
    all,
    all.map((row) => row.slice(1)),
    all.map((row) => row.slice(2)),
    tails(shortNote).map((row) => row.slice(2)),
  ];
}

function serverTail(server: ServerStatus, note: string): Line {
  const shown = server.state !== "down" && server.state !== "maintenance";
  return [
    cell(shown && server.load !== undefined ? `load ${server.load}` : ""),
    cell(shown && server.connectMs !== null ? `connect ${connectText(server.connectMs)}` : ""),
    cell(note),
  ];
}

function connectText(ms: number): string {
  return ms < 10 ? `${Number(ms.toPrecision(1))} ms` : durationText(ms);
}

/** "3m by anna, ends 14:41": since when, by whom, until when, why. */
function serverNote(server: ServerStatus, view: StatusView): string {
  return noteText(server, view, sinceText(server.since, view.now));
}

/** The same with the largest unit of the time only. */
function shortNote(server: ServerStatus, view: StatusView): string {
  return noteText(server, view, sinceText(server.since, view.now).replace(/(?<=[dhm]) .*/, ""));
}

function noteText(server: ServerStatus, view: StatusView, since: string): string {
  const reason = server.reason === "" ? "" : `, ${printable(server.reason)}`;
  const ends = server.until === null ? "" : `ends ${clockText(server.until, view.now)}`;
  const backup = server.backup ? ", backup" : "";
  // Nobody's wish made it fail: what a person set before comes last, in case the line is cut.
  if (server.state === "down") return `${since}${reason}${backup}${ends === "" ? "" : `, drain ${ends}`}`;
  const by = server.by === "" ? "" : ` by ${printable(server.by)}`;
  return `${since}${by}${ends === "" ? "" : `, ${ends}`}${reason}${backup}`;
}
