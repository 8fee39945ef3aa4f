/** The list of algorithms, the folder and the schema's choices are the same. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { ALGORITHM_NAMES, algorithmNamed } from "../../../src/balancer/algorithms/index.ts";
import { ALGORITHMS } from "../../../src/config/choices.ts";

const FOLDER = new URL("../../../src/balancer/algorithms/", import.meta.url).pathname;

test("every file that declares an algorithm is in the list, under its own name", () => {
  const members = readdirSync(FOLDER)
    .filter((file) => /^export const \w+ = algorithm\(\{$/m.test(readFileSync(FOLDER + file, "utf8")))
    .map((file) => file.replace(/\.ts$/, ""));
  expect(members.sort()).toEqual([...ALGORITHM_NAMES].sort() as string[]);
});

test("the YAML accepts exactly the algorithms that there are", () => {
  expect([...ALGORITHM_NAMES].sort()).toEqual([...ALGORITHMS].sort());
});

test("an algorithm is found by its name, and a wrong name finds nothing", () => {
  expect(algorithmNamed("least-time")?.name).toBe("least-time");
  expect(algorithmNamed("toString")).toBeUndefined();
});
