/** Events for those who listen: a server-sent event stream (WHATWG HTML 9.2) with bounds. */
import type { Balancer } from "../balancer/control/balancer.ts";

/** Events that a slow reader may have waiting. One more and it gets a `resync` instead: read the state anew. */
const MAX_WAITING = 256;
/** A comment this often keeps the connection from being taken for dead. */
const KEEP_ALIVE_MS = 5_000;

/** A response that never ends by itself; the reader's leaving ends it. */
export function eventStream(balancer: Balancer): Response {
  const encoder = new TextEncoder();
  let stop = () => {};
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let missed = false;
        const send = (text: string) => {
          const room = (controller.desiredSize ?? 0) > 0;
          if (room && missed) {
            controller.enqueue(encoder.encode("event: resync\ndata: {}\n\n"));
            missed = false;
          }
          if (room) controller.enqueue(encoder.encode(text));
          else missed = true;
        };
        send(": connected\n\n");
        const unsubscribe = balancer.onEvent((event) =>
          send(`event: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`),
        );
        const keepAlive = setInterval(() => send(": \n\n"), KEEP_ALIVE_MS);
        stop = () => {
          unsubscribe();
          clearInterval(keepAlive);
        };
      },
      cancel: () => stop(),
    },
    { highWaterMark: MAX_WAITING },
  );
  return new Response(stream, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
}
