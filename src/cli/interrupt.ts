/** Waiting that Ctrl-C ends in order, so that the last words can still be said. */
import { Exit } from "./exit.ts";

class Interrupted extends Error {}

/** Waits so many milliseconds; a signal ends it by throwing. */
export type Wait = (ms: number) => Promise<void>;

/**
 * Runs `body`; SIGINT ends its next or present `wait`, then `lastWords` are said.
 * @returns what `body` returns, or 130. SIGTERM keeps its meaning for a process: it ends with 143.
 */
export async function interruptible(
  body: (wait: Wait) => Promise<number>,
  lastWords: () => void = () => {},
): Promise<number> {
  let interrupted = false;
  let wake = () => {};
  const onSignal = () => {
    interrupted = true;
    wake();
  };
  process.on("SIGINT", onSignal);
  const wait: Wait = async (ms) => {
    if (!interrupted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (interrupted) throw new Interrupted();
  };
  try {
    return await body(wait);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    lastWords();
    return Exit.INTERRUPTED;
  } finally {
    process.off("SIGINT", onSignal);
  }
}
