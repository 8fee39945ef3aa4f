/** `holdfast agent`: says how loaded this machine is, to balancers that ask. */
import type { Command } from "commander";
import { HoldfastError } from "../errors.ts";
import { action, command } from "./command.ts";
import { Exit } from "./exit.ts";

export function agentCommand(): Command {
  const base = command("agent", "say how loaded this machine is, to balancers that ask", [
    "holdfast agent -c agent.yaml       answers on the addresses under `agent:` in the file",
    "curl -s http://127.0.0.1:8090/load  what a balancer gets",
  ]).option("-c, --config <file>", "the file", "holdfast.yaml");
  return action(base, async (terminal, options: { config: string }) => {
    const { readConfigFile } = await import("./config-file.ts");
    const config = readConfigFile(terminal, options.config);
    if (config === null) return Exit.UNUSABLE_FILE;
    if (config.agent === undefined) {
      throw new HoldfastError("cli/unusable-file", `${options.config} has no \`agent\``, {
        hint: "agent: { number: :8090, text: :3333 }",
      });
    }
    const { startAgent } = await import("../agent/start.ts");
    const agent = await startAgent(config.agent);
    const ports = [
      agent.numberPort === undefined ? [] : [`number on port ${agent.numberPort}`],
      agent.textPort === undefined ? [] : [`text on port ${agent.textPort}`],
    ].flat();
    terminal.stderr.write(`The agent answers: ${ports.join(", ")}. Ctrl-C ends it.\n`);
    const signal = await new Promise<"SIGINT" | "SIGTERM">((resolve) => {
      for (const one of ["SIGINT", "SIGTERM"] as const) process.once(one, () => resolve(one));
    });
    await agent.stop();
    return signal === "SIGINT" ? Exit.INTERRUPTED : Exit.DONE;
  });
}
