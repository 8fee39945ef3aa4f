/** `holdfast demo`: the whole product on this machine, with sample servers. Its body is loaded only when it runs. */
import type { Command } from "commander";
import { action, command } from "./command.ts";
import type { Terminal } from "./terminal.ts";

/** What `demo.ts` exports. */
interface Demo {
  runDemo(terminal: Terminal): Promise<number>;
}

export function demoCommand(): Command {
  const base = command("demo", "see it work on this machine; changes nothing, ends with Ctrl-C", [
    "holdfast demo                     sample servers, real connections, who landed where",
    "holdfast demo > table.txt         the same, for a file",
  ]);
  return action(base, async (terminal) => {
    // @ts-expect-error: demo.ts comes with the demo itself
    const demo: Demo = await import("./demo.ts");
    return demo.runDemo(terminal);
  });
}
