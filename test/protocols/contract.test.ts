import { expect, test } from "bun:test";
import { Glob } from "bun";
import { describeContract } from "./contract.ts";
import { parsers } from "./parsers.ts";

for (const parser of parsers) describeContract(parser);

test("every parser in src/protocols is in the list", async () => {
  const folder = new URL("../../src/protocols", import.meta.url).pathname;
  const listed = parsers.map((parser) => parser.name);
  // The two versions of the PROXY protocol are read through readProxyHeader.
  const found = ["readProxyV1", "readProxyV2"];
  for await (const path of new Glob("**/*.ts").scan(folder)) {
    const source = await Bun.file(`${folder}/${path}`).text();
    for (const match of source.matchAll(/@returns bytes used[^/]*\*\/\s*export function (\w+)/g)) found.push(match[1]!);
  }
  expect(found.sort()).toEqual([...listed, "readProxyV1", "readProxyV2", "readProxyV1", "readProxyV2"].sort());
});
