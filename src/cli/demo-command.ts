/** `holdfast demo`: the whole product on this machine, with sample servers. Its body is loaded only when it runs. */
import { Argument, Command } from "commander";
import type { SampleProtocol } from "../demo/sample-server.ts";
import { action, command, styled } from "./command.ts";

export function demoCommand(): Command {
  const base = command("demo", "see it work on this machine; changes nothing, ends with Ctrl-C", [
    "holdfast demo                     sample servers, real connections, who landed where",
    "holdfast demo > table.txt         the same, for a file",
  ]);
  base.addCommand(serverCommand(), { hidden: true });
  return action(base, async (terminal) => {
    const { runDemo } = await import("./demo.ts");
    return runDemo(terminal);
  });
}

const PROTOCOLS: readonly SampleProtocol[] = ["rdp", "tcp"];

/** One sample server, as the demo starts it. */
function serverCommand(): Command {
  const base = styled(new Command("server"), "demo server")
    .addArgument(new Argument("<protocol>", "what it speaks").choices(PROTOCOLS))
    .argument("<name>", "what it calls itself");
  return action(base, async (_terminal, protocol: SampleProtocol, name: string) => {
    const { runSampleServer } = await import("../demo/sample-server.ts");
    return runSampleServer(protocol, name);
  });
}
