/** The admin API as the command line calls it: over the unix socket in the data folder. */
import { accessSync, constants } from "node:fs";
import type {
  ForgetResult,
  ForgetSelector,
  ReloadReport,
  SessionFilter,
  SessionPage,
  SessionSelector,
  StatusReport,
} from "../balancer/control/balancer.ts";
import type { Problem } from "../config/problem.ts";
import { ERRORS, type ErrorCode, HoldfastError } from "../errors.ts";
import type { AdministrativeAnswer, ProblemDetails } from "./schemas.ts";

const ANSWER_WITHIN_MS = 10_000;
/** A reload reads files, resolves names and waits for the workers. */
const RELOAD_WITHIN_MS = 60_000;

/** The socket of a data folder. */
export const socketIn = (dataFolder: string) => `${dataFolder}/holdfast.sock`;

/** One running process. Every call throws HoldfastError: `cli/not-running`, `cli/not-allowed`, or what the API answered. */
export class ApiClient {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  status(): Promise<StatusReport> {
    return this.#call("GET", "/status");
  }

  /** A file with errors is no exception here: `ok` is false and `problems` has them. */
  async reload(): Promise<Pick<ReloadReport, "ok" | "summary" | "problems">> {
    const response = await this.#send("POST", "/reload", undefined, RELOAD_WITHIN_MS);
    if (response.ok) return (await response.json()) as ReloadReport;
    const details = (await response.json()) as ProblemDetails;
    if (details.code !== "api/reload-refused") throw errorOf(details);
    return { ok: false, summary: details.detail, problems: (details.errors ?? []) as Problem[] };
  }

  setAdministrative(
    pool: string,
    server: string,
    wanted: { state: string; by: string; withinMs?: number; confirm?: boolean },
  ): Promise<AdministrativeAnswer> {
    return this.#call("POST", `/pools/${encodeURIComponent(pool)}/servers/${encodeURIComponent(server)}/state`, wanted);
  }

  sessions(filter: SessionFilter): Promise<SessionPage> {
    const query = new URLSearchParams(
      Object.entries(filter).map(([key, value]): [string, string] => [key, String(value)]),
    );
    return this.#call("GET", `/sessions?${query}`);
  }

  endSessions(selector: SessionSelector, dryRun: boolean): Promise<{ ended: number }> {
    return this.#call("POST", `/sessions/end?dryRun=${dryRun}`, selector);
  }

  forget(pool: string, selector: ForgetSelector, options: { by: string; dryRun: boolean }): Promise<ForgetResult> {
    const { by, dryRun } = options;
    return this.#call("POST", `/pools/${encodeURIComponent(pool)}/forget?dryRun=${dryRun}`, { ...selector, by });
  }

  signToken(request: { pool: string; server: string; lifetimeMs?: number }): Promise<{ token: string }> {
    return this.#call("POST", "/tokens", request);
  }

  async #call<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await this.#send(method, path, body, ANSWER_WITHIN_MS);
    if (response.ok) return (await response.json()) as T;
    throw errorOf((await response.json()) as ProblemDetails);
  }

  async #send(method: string, path: string, body: object | undefined, withinMs: number): Promise<Response> {
    try {
      accessSync(this.#socket, constants.R_OK | constants.W_OK);
    } catch (cause) {
      throw (cause as NodeJS.ErrnoException).code === "EACCES" ? this.#notAllowed() : this.#notRunning();
    }
    try {
      return await fetch(`http://holdfast/api/v1${path}`, {
        method,
        unix: this.#socket,
        signal: AbortSignal.timeout(withinMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
    } catch (cause) {
      if ((cause as Error).name === "TimeoutError") {
        const seconds = withinMs / 1000;
        throw new HoldfastError("cli/not-running", `nothing answered on ${this.#socket} within ${seconds} s`, {
          cause,
        });
      }
      throw this.#notRunning(cause);
    }
  }

  #notRunning(cause?: unknown): HoldfastError {
    return new HoldfastError("cli/not-running", `nothing is running behind ${this.#socket}`, {
      hint: "holdfast up -c FILE, or name the data folder of the running one with --data",
      cause,
    });
  }

  #notAllowed(): HoldfastError {
    return new HoldfastError("cli/not-allowed", `you may not use ${this.#socket}`, {
      hint: `sudo holdfast …, or become a member of the group that \`ls -l ${this.#socket}\` shows`,
    });
  }
}

function errorOf(details: ProblemDetails): HoldfastError {
  const code = details.code in ERRORS ? (details.code as ErrorCode) : "api/internal";
  return new HoldfastError(code, details.detail, details.hint === undefined ? {} : { hint: details.hint });
}
