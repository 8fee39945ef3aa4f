/** The thread of one worker: the loop, and control's mail between two turns. */
import { parentPort, workerData } from "node:worker_threads";
import { DataPlane, type WorkerBirth } from "./data-plane.ts";
import type { EndSelector, FromWorker, ToWorker } from "./messages.ts";

const birth = workerData as WorkerBirth;
const control = parentPort!;
const tell = (message: FromWorker) => control.postMessage(message);
const plane = new DataPlane(birth, Math.random, tell);
let breakNow: "throw" | "hang" | null = null;

control.on("message", (message: ToWorker) => {
  switch (message.kind) {
    case "plan":
      plane.adopt(message.plan);
      return tell({ kind: "ready", generation: message.plan.generation });
    case "stop-listening":
      return plane.stopListening();
    case "end":
      return tell({ kind: "ended", request: message.request, count: end(message.which, message.end) });
    case "list":
      return tell({ kind: "connections", request: message.request, numbers: numbers() });
    case "tell-again":
      return tellAgain(new Set(message.numbers));
    case "break":
      breakNow = message.how;
  }
});

function end(which: EndSelector, code: number): number {
  if (which.column !== undefined && which.column !== plane.column) return 0;
  const numbers = which.numbers ? new Set(which.numbers) : null;
  let left = which.most ?? Number.POSITIVE_INFINITY;
  let count = 0;
  for (const connection of [...plane.open()]) {
    if (left <= 0) break;
    if (numbers !== null && !numbers.has(connection.number)) continue;
    if (which.service !== undefined && connection.service.plan.id !== which.service) continue;
    if (which.server === undefined) connection.close(code);
    else if (!connection.closeAt(which.server, code)) continue;
    // Ten thousands of them take longer than control waits for a beat.
    if (++count % 1024 === 0) plane.beat();
    left--;
  }
  return count;
}

function tellAgain(numbers: ReadonlySet<number>): void {
  for (const connection of plane.open()) if (numbers.has(connection.number)) connection.tellAgain();
}

function numbers(): Uint32Array {
  return Uint32Array.from([...plane.open()], ({ number }) => number);
}

function run(): void {
  while (!plane.mail) {
    if (!plane.turn()) return process.exit(0);
    if (breakNow === "throw") throw new Error("broken on purpose");
    while (breakNow === "hang");
  }
  plane.mailRead();
  // The runtime delivers messages before this comes round again.
  setImmediate(run);
}

tell({ kind: "ready", generation: birth.plan.generation });
run();
