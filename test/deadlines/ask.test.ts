import { expect, test } from "bun:test";
import { ask, type Question } from "../../src/deadlines/ask.ts";
import { systemTiming } from "../../src/deadlines/timing.ts";
import { printable } from "../../src/deadlines/wording.ts";
import { answering, serve } from "../balancer/control/health/servers.ts";

const upTo = (limit: number): Question<string> => ({
  send: Buffer.from("?"),
  limit,
  judge: (bytes, ended) => (ended ? Buffer.from(bytes).toString() : undefined),
});

test("no more than the limit is kept, and what is there by then is judged", async () => {
  const server = await answering(["abc", "defgh"], false);
  expect(await ask("127.0.0.1", server.port, upTo(4), 1_000, systemTiming).done).toEqual({ value: "abcd" });
  await server.stop();
});

test("an answer in thousands of tiny pieces is given up, long before its bytes fill the limit", async () => {
  const server = await serve((socket) => {
    socket.setNoDelay(true);
    const next = () => {
      if (!socket.destroyed) socket.write("x", () => setImmediate(next));
    };
    next();
  });
  expect(await ask("127.0.0.1", server.port, upTo(1 << 20), 20_000, systemTiming).done).toEqual({
    failure: "answer in too many pieces",
  });
  await server.stop();
}, 20_000);

test("cancelling closes the connection", async () => {
  const server = await serve(() => {});
  const connected = Promise.withResolvers<void>();
  const question: Question<string> = {
    send: new Uint8Array(0),
    limit: 1,
    judge: () => {
      connected.resolve();
      return undefined;
    },
  };
  const pending = ask("127.0.0.1", server.port, question, 60_000, systemTiming);
  await connected.promise;
  pending.cancel();
  expect(await pending.done).toEqual({ failure: "cancelled" });
  await server.firstClosed;
  await server.stop();
});

test("text from elsewhere stays on one line, has no escape sequences, and is cut", () => {
  expect(printable(" a\u001b[31m\r\nb\u202ec ", 20)).toBe("a [31m b c");
  expect(printable("x".repeat(50), 10)).toBe(`${"x".repeat(9)}…`);
  expect(printable("x".repeat(10), 10)).toBe("x".repeat(10));
});
