/** Bulk over connections that are open: bodies of many megabytes, both ways. */
import { END_OF_HEAD } from "./client.ts";
import type { Open } from "./open.ts";
import { request } from "./wire.ts";

const input = Buffer.alloc(256 * 1024);
const output = new Uint8Array(256 * 1024);

/** Each connection gets a body of so many bytes. */
export function down({ crowd, ones }: Open, bytes: number): void {
  let done = 0;
  for (const one of ones) {
    let missing = -1; // The head has not come.
    one.whenReady = () => {
      for (;;) {
        const got = one.line.receive(input);
        if (got === -1) return;
        if (got <= 0) throw new Error(`a download ended with ${missing} bytes missing`);
        if (missing >= 0) missing -= got;
        else missing = bytes - (got - headOf(input.toString("latin1", 0, got), `content-length: ${bytes}`));
        if (missing < 0) throw new Error(`a download brought ${-missing} bytes more than it should`);
        if (missing > 0) continue;
        done++;
        return;
      }
    };
    one.send(request("down", one.user.cookie, bytes));
  }
  crowd.serve(() => done === ones.length);
}

/** Each connection gives a body of so many bytes. */
export function up({ crowd, ones }: Open, bytes: number): void {
  let done = 0;
  for (const one of ones) {
    let left = bytes;
    one.whenReady = () => {
      while (left > 0) {
        const sent = one.line.send(output, Math.min(left, output.length));
        if (sent < 0) throw new Error(`an upload ended with ${left} bytes left`);
        if (sent === 0) return;
        left -= sent;
      }
      const got = one.line.receive(input);
      if (got === -1) return;
      if (got <= 0) throw new Error("an upload was not confirmed");
      const length = headOf(input.toString("latin1", 0, got), "content-length: 1");
      if (got !== length + 1) throw new Error("an upload was confirmed in pieces");
      done++;
    };
    one.send(request("up", one.user.cookie, bytes));
    one.whenReady(one);
  }
  crowd.serve(() => done === ones.length);
}

/** The length of the head that the text begins with. It must be 200 and have this field; here it comes in one piece. */
function headOf(text: string, field: string): number {
  const end = text.indexOf(END_OF_HEAD);
  const head = text.slice(0, end);
  if (end < 0 || head.slice(9, 12) !== "200") throw new Error(`a wrong answer: ${head.slice(0, 300)}`);
  if (!head.toLowerCase().split("\r\n").includes(field)) throw new Error(`without ${field}: ${head.slice(0, 300)}`);
  return end + 4;
}
