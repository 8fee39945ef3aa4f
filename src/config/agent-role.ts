/** `agent`: this machine says how loaded it is, to balancers that ask. Run by `holdfast agent`. */

import { z } from "zod";
import { listenAddress, positiveDuration } from "./quantities.ts";
import { section, text, urlPath, wholeNumber } from "./section.ts";

const weight = z.number().min(0).max(100).meta({ title: "a weight", expected: "a number from 0 to 100" });

/** The agent role. At least one of `number` and `text` is needed, which `references.ts` sees to. */
export const agentRole = section("`agent`", {
  number: listenAddress.optional().describe("Answers over HTTP with the load, 0 to 100, on this address."),
  text: listenAddress.optional().describe("Answers over TCP with the words of HAProxy's agent-check on this address."),
  path: urlPath.prefault("/load").describe("The path that `number` answers."),
  every: positiveDuration.prefault("2s").describe("How often the load is measured."),
  weights: section("`weights`", {
    cpu: weight.prefault(1).describe("Share of CPU time in use."),
    memory: weight.prefault(1).describe("Share of memory in use."),
    load: weight.prefault(0).describe("Load average of one minute for each core."),
    sessions: weight.prefault(0).describe("Logged-in sessions beside `full-sessions`."),
  })
    .prefault({})
    .describe("How much each measure counts. The load is their weighted mean."),
  "full-sessions": wholeNumber(1, 100_000).prefault(100).describe("So many logged-in sessions are a load of 100."),
  command: z
    .array(text("an argument"))
    .min(1)
    .max(64)
    .meta({ title: "a program and its arguments", expected: "a list: the program and its arguments" })
    .optional()
    .describe("A program that prints the load; used instead of the measures. There is no shell."),
});
