import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { AGENT_KINDS as AGENTS } from "../../../../src/balancer/control/agents/index.ts";
import { CHECK_KINDS } from "../../../../src/balancer/control/health/index.ts";
import { AGENT_KINDS, HEALTH_CHECKS } from "../../../../src/config/choices.ts";

const source = (path: string) => existsSync(new URL(`../../../../src/balancer/control/${path}.ts`, import.meta.url));

test("the checks that a file may name are the checks there are, each under its own name", () => {
  expect(Object.keys(CHECK_KINDS).sort()).toEqual([...HEALTH_CHECKS].sort());
  for (const [name, kind] of Object.entries(CHECK_KINDS))
    expect({ name: kind.name as string, file: source(`health/${name}`) }).toEqual({ name, file: true });
});

test("the agents that a file may name are the agents there are, each under its own name", () => {
  expect(Object.keys(AGENTS).sort()).toEqual([...AGENT_KINDS].sort());
  for (const [name, kind] of Object.entries(AGENTS))
    expect({ name: kind.name as string, file: source(`agents/${name}`) }).toEqual({ name, file: true });
});
