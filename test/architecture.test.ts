/** The house that docs/architecture.md describes: its table of floors is the only list of them. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, normalize } from "node:path";

const ROOT = join(import.meta.dir, "..");
const PAGE = readFileSync(join(ROOT, "docs/architecture.md"), "utf8");

interface Source {
  readonly path: string;
  readonly text: string;
  /** As it runs: without types and comments. */
  readonly code: string;
  /** Files of src/, those that only types are taken from too. */
  readonly imports: readonly string[];
  /** Those without types. */
  readonly runs: readonly string[];
}

const typescript = new Bun.Transpiler({ loader: "ts", target: "bun" });
const sources: readonly Source[] = [...new Bun.Glob("src/**/*.ts").scanSync(ROOT)].sort().map((path) => {
  const text = readFileSync(join(ROOT, path), "utf8");
  const resolve = (names: readonly string[]) =>
    names.filter((name) => name.startsWith(".")).map((name) => normalize(join(path, "..", name)));
  const written = [...text.matchAll(/(?:\bfrom|\bimport\(|\bimport)\s*"([^"]+)"/g)].map(([, name]) => name!);
  return {
    path,
    text,
    code: typescript.transformSync(text),
    imports: resolve(written).filter((name) => name.startsWith("src/")),
    runs: resolve(typescript.scanImports(text).map((found) => found.path)),
  };
});

/** Each row of the table, lowest floor first: its folders and files. */
const floors = [...PAGE.matchAll(/^\| (`src\/.+?) \|/gm)].map(([, cell]) =>
  [...cell!.matchAll(/`([^`]+)`/g)].map(([, path]) => path!),
);

/** The floor that a file is on, and its folder there (or the file itself). */
function placesOf(path: string): { floor: number; folder: string }[] {
  return floors.flatMap((folders, floor) =>
    folders.filter((folder) => path === folder || path.startsWith(`${folder}/`)).map((folder) => ({ floor, folder })),
  );
}

/** What `of` finds, with the file it stands in. */
function found(folder: string, pattern: RegExp): string[] {
  return sources
    .filter(({ path }) => path.startsWith(folder))
    .flatMap(({ path, code }) => [...code.matchAll(pattern)].map(([match]) => `${path}: ${match}`));
}

test("every file is on one floor, and every floor has files", () => {
  expect(sources.filter(({ path }) => placesOf(path).length !== 1).map(({ path }) => path)).toEqual([]);
  const empty = floors.flat().filter((folder) => !sources.some(({ path }) => `${path}/`.startsWith(`${folder}/`)));
  expect(empty).toEqual([]);
});

test("nothing imports upward, nor its neighbour on the same floor", () => {
  const upward = sources.flatMap(({ path, imports }) => {
    const [here] = placesOf(path);
    return imports
      .filter((other) => {
        const [there] = placesOf(other);
        return here!.folder !== there!.folder && here!.floor <= there!.floor;
      })
      .map((other) => `${path} imports ${other}`);
  });
  expect(upward).toEqual([]);
});

test("no files import each other in a circle", () => {
  const runs = new Map(sources.map((source) => [source.path, source.runs]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, way: readonly string[]) => {
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(" > "));
    if (way.includes(path) || done.has(path)) return;
    for (const other of runs.get(path) ?? []) visit(other, [...way, path]);
    done.add(path);
  };
  for (const { path } of sources) visit(path, []);
  expect(circles).toEqual([]);
});

test("the data plane awaits nothing and uses no sockets of the runtime", () => {
  expect(
    found("src/balancer/worker/", /\bawait\b|\basync\b|\bPromise\b|\bBun\.(listen|connect|serve|udpSocket)\b/g),
  ).toEqual([]);
  const outside = /from "(node:(net|http|https|http2|tls|dgram|fs|dns|timers)[^"]*|bun)"/g;
  expect(found("src/balancer/worker/", outside)).toEqual([]);
});

test("parsers have no input or output, and no clock", () => {
  expect(
    found(
      "src/protocols/",
      /\bBun\.\w+|\bDate\.now\b|\bnew Date\b|\bperformance\b|\bMath\.random\b|\bset(Timeout|Interval)\b/g,
    ),
  ).toEqual([]);
  expect(found("src/protocols/", /from "(?!node:crypto"|\.)[^"]+"/g)).toEqual([]);
});

test("only the floor of system calls loads libraries", () => {
  const loading = found("src/", /\bdlopen\(/g).filter((place) => !place.startsWith("src/os/"));
  expect(loading).toEqual([]);
});

test("every file that the page names is there", () => {
  const prose = PAGE.replaceAll(/```[\s\S]*?```/g, "");
  const named = [...prose.matchAll(/`([\w./-]+\.ts)`/g)].map(([, name]) => name!);
  const files = [...new Bun.Glob("{src,test,bench}/**/*.ts").scanSync(ROOT), "build.ts"];
  expect(named.filter((name) => !files.some((file) => file === name || file.endsWith(`/${name}`)))).toEqual([]);
});
