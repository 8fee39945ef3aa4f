/** h2load (nghttp2), the load of the HTTP/2 row. It checks status and length. */
import { type Cpus, on } from "../rig.ts";
import type { Endpoint } from "../sockets.ts";
import { BODY_BYTES } from "./wire.ts";

const CONNECTIONS = 4;
const STREAMS = 25;

/** So many requests for the page; throws unless each has brought it, over HTTP/2. */
export async function h2load(
  { host, port }: Endpoint,
  cookie: string,
  count: number,
  cpus: Cpus | undefined,
): Promise<{ seconds: number }> {
  const command = [
    ...["h2load", "--requests", `${count}`, "--clients", `${CONNECTIONS}`, "--max-concurrent-streams", `${STREAMS}`],
    ...["--header", `cookie: ${cookie}`, `https://${host}:${port}/page`],
  ];
  const child = Bun.spawn(on(cpus?.others, command), { stdout: "pipe", stderr: "pipe" });
  const [text, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  const [, good] = / (\d+) succeeded, 0 failed, 0 errored, 0 timeout/.exec(text) ?? [];
  const [, data] = /headers \(space savings [^)]*\), \S+ \((\d+)\) data/.exec(text) ?? [];
  const [, time] = /finished in ([\d.]+)(?=s,)/.exec(text) ?? [];
  const [, milliseconds] = /finished in ([\d.]+)ms/.exec(text) ?? [];
  const seconds = time !== undefined ? Number(time) : Number(milliseconds) / 1000;
  const right =
    Number(good) === count && Number(data) === count * BODY_BYTES && text.includes("Application protocol: h2");
  if (!right || !(seconds > 0)) throw new Error(`h2load: ${errors}${text}`);
  return { seconds };
}
