/** A client that sends a case as it is, and says what came back. */
import { connect } from "node:net";
import type { SmugglingCase } from "./case.ts";

const WITHIN_MS = 15_000;
/** Sent behind a case whose connection goes on, to show that it does. */
export const AFTER = "GET /after HTTP/1.1\r\nHost: a\r\n\r\n";

/**
 * Sends a case to `port` of this machine and waits for what it must come to: an answer to each request, or the connection's
 * end. `drips`: byte by byte, each in a packet of its own.
 * @returns the statuses of the answers; "end" behind them where the balancer has ended the connection.
 */
export function drive(
  port: number,
  { sent, requests, end }: SmugglingCase,
  drips = false,
): Promise<(number | "end")[]> {
  const goesOn = end === "open";
  const wanted = requests.length + (goesOn ? 1 : 0);
  return new Promise((resolve, reject) => {
    let came = "";
    let asked = false;
    const statuses = () => [...came.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const deadline = setTimeout(() => finish(() => reject(new Error(`nothing more came after ${came}`))), WITHIN_MS);
    const finish = (act: () => void) => {
      clearTimeout(deadline);
      socket.destroy();
      act();
    };
    socket.setEncoding("latin1");
    let at = 0; // of what was sent
    const send = () => {
      if (at === sent.length) return goOn();
      const piece = sent.slice(at, drips ? at + 1 : sent.length);
      socket.write(piece, "latin1", (lost) => {
        at += piece.length;
        if (!lost) send();
      });
    };
    const goOn = () => {
      // What is not complete will not become so: a half-close ends it.
      if (end === "waiting") return socket.end();
      const answers = statuses();
      if (!goesOn || at < sent.length) return;
      if (answers.length >= wanted) finish(() => resolve(answers));
      else if (!asked && answers.length === requests.length) {
        asked = true;
        socket.write(AFTER);
      }
    };
    socket.setNoDelay();
    socket.on("connect", send);
    socket.on("data", (piece: string) => {
      came += piece;
      if (goesOn) goOn();
    });
    socket.on("end", () => finish(() => resolve([...statuses(), "end"])));
    socket.on("error", () => finish(() => resolve([...statuses(), "end"])));
  });
}

/** Do the answers fit the case? An unfinished request may be answered with 400, or with nothing. */
export function fits({ requests, end }: SmugglingCase, answers: readonly (number | "end")[]): boolean {
  const good: (number | "end")[] = requests.map(() => 200);
  const expected: (number | "end")[][] =
    end === "open"
      ? [[...good, 200]]
      : end === "closed"
        ? [[...good, "end"]]
        : end === "waiting" || end === "cut"
          ? [
              [...good, "end"],
              [...good, 400, "end"],
            ]
          : [[...good, end, "end"]];
  return expected.some((one) => JSON.stringify(one) === JSON.stringify(answers));
}
