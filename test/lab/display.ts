/** A screen without a monitor, and unmodified FreeRDP clients on it. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "./child.ts";
import { openWay, type Way } from "./ways.ts";
import type { User } from "./xrdp.ts";

const SCREEN_WITHIN_MS = 15_000;

export interface ClientOptions {
  readonly host: string;
  readonly port: number;
  readonly user: User;
  /** Source address, any of 127.0.0.0/8; without it the kernel chooses 127.0.0.1. */
  readonly from?: string;
  /** A routing token, sent instead of the user's name, "Cookie: msts=…". */
  readonly loadBalanceInfo?: string;
}

/** A running client. */
export interface Client {
  readonly user: string;
  /** The source address it was given. */
  readonly from: string | undefined;
  readonly exited: Promise<number>;
  /** The last lines that it wrote, for the message of a failure. */
  output(): string;
  /** Closes the connection without logging out: the session lives on at the server. */
  leave(): Promise<void>;
}

export interface Display {
  /** Resolves when the client has been started, not when it has a desktop. */
  connect(options: ClientOptions): Promise<Client>;
  /** Ends every client and the screen. */
  stop(): Promise<void>;
}

/** Starts Xvfb on the first display that is free. */
export async function startDisplay(): Promise<Display> {
  const home = await mkdtemp(join(tmpdir(), "holdfast-lab-"));
  const numbered = Promise.withResolvers<string>();
  const screen = new Child("Xvfb -displayfd 1 -screen 0 800x600x24 -nolisten tcp".split(" "), (line) =>
    numbered.resolve(line.trim()),
  );
  const deadline = setTimeout(
    () => numbered.reject(new Error(`Xvfb: no display\n${screen.output()}`)),
    SCREEN_WITHIN_MS,
  );
  screen.exited.then((code) => numbered.reject(new Error(`Xvfb ended with ${code}\n${screen.output()}`)));
  const clients = new Set<Client>();

  async function stop(): Promise<void> {
    await Promise.all([...clients].map((client) => client.leave()));
    screen.signal("SIGTERM");
    await screen.ended();
    await rm(home, { recursive: true, force: true });
  }

  async function connect(options: ClientOptions, env: Record<string, string>): Promise<Client> {
    const way = options.from === undefined ? undefined : await openWay(options.from, options.host, options.port);
    const child = new Child(xfreerdp(options, way), undefined, env);
    const client: Client = {
      user: options.user.name,
      from: options.from,
      exited: child.exited,
      output: () => child.output(),
      async leave() {
        child.signal("SIGTERM");
        await child.ended();
        await way?.close();
        clients.delete(client);
      },
    };
    clients.add(client);
    return client;
  }

  try {
    const env = { DISPLAY: `:${await numbered.promise}`, HOME: home };
    return { connect: (options) => connect(options, env), stop };
  } catch (failure) {
    await stop();
    throw failure;
  } finally {
    clearTimeout(deadline);
  }
}

/** The same colour depth every time: xrdp makes a new session for a user who comes back with another. */
function xfreerdp({ host, port, user, loadBalanceInfo }: ClientOptions, way: Way | undefined): string[] {
  return [
    "xfreerdp",
    way ? `/v:127.0.0.1:${way.port}` : `/v:${host}:${port}`,
    `/u:${user.name}`,
    `/p:${user.password}`,
    ..."/sec:tls /cert:ignore /bpp:24 /size:640x480 /log-level:ERROR".split(" "),
    ...(loadBalanceInfo === undefined ? [] : [`/load-balance-info:${loadBalanceInfo}`]),
  ];
}
