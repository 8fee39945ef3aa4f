/** Requests by curl: a client that nobody here has written. */

export interface CurlOptions {
  /** PEM file of the authority that is trusted. */
  readonly ca?: string;
  /** Addresses by name. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** Where it connects from. */
  readonly from?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** More of its command line. */
  readonly more?: readonly string[];
}

export interface CurlAnswer {
  /** "1.1" or "2". */
  readonly version: string;
  readonly status: number;
  /** Names in lower case. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
}

/** One request. Rejects with curl's own words when there is no answer. */
export async function curl(url: string, options: CurlOptions = {}): Promise<CurlAnswer> {
  const { hostname, port } = new URL(url);
  const address = options.hosts?.[hostname];
  const command = [
    ...["curl", "--silent", "--show-error", "--include", "--max-time", "10", "--http1.1"],
    ...(options.ca ? ["--cacert", options.ca] : []),
    ...(address ? ["--resolve", `${hostname}:${port}:${address}`] : []),
    ...(options.from ? ["--interface", options.from] : []),
    ...Object.entries(options.headers ?? {}).flatMap(([name, value]) => ["--header", `${name}: ${value}`]),
    ...(options.more ?? []),
    url,
  ];
  const process = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [out, error, code] = await Promise.all([
    new Response(process.stdout).text(),
    new Response(process.stderr).text(),
    process.exited,
  ]);
  if (code !== 0) throw new Error(`curl ended with ${code}: ${error}`);
  return readAnswer(out);
}

function readAnswer(text: string): CurlAnswer {
  const end = text.indexOf("\r\n\r\n");
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const [, version = "", status = ""] = /^HTTP\/(\S+) (\d+)/.exec(first) ?? [];
  const fields = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    fields.set(name, [...(fields.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return { version, status: Number(status), fields, body: text.slice(end + 4) };
}
