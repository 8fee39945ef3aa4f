/** Kernel pipes for splice(2), used again and again: making one costs more than moving 100 KB through it. */
import { sys } from "../../os/libc.ts";

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_SETPIPE_SZ = 1031;
/** 1 MiB moves a megabyte for two thirds of what the kernel's 64 KiB cost. Refused beyond the user's share: then it stays small. */
const PIPE_BYTES = 1 << 20;
/** Unused pipes that are kept. */
const KEPT = 64;
/** Pipes in use at once; beyond that bytes are copied. Two descriptors each. */
const MOST = 1024;

/** `input` is written to, `output` is read from. */
export interface KernelPipe {
  readonly input: number;
  readonly output: number;
}

/** The pipes of one worker. `own` and `disown` tell the ledger of descriptors. */
export class KernelPipes {
  readonly #free: KernelPipe[] = [];
  readonly #pair = new Int32Array(2);
  #made = 0;
  own: (fd: number) => boolean = () => true;
  disown: (fd: number) => void = () => {};

  /** An empty pipe, or null when there are too many or no descriptors are left. */
  take(): KernelPipe | null {
    const kept = this.#free.pop();
    if (kept) return kept;
    if (this.#made >= MOST || sys.pipe2(this.#pair, O_NONBLOCK | O_CLOEXEC) !== 0) return null;
    const pipe = { output: this.#pair[0]!, input: this.#pair[1]! };
    this.#made++;
    const owned = this.own(pipe.input) && this.own(pipe.output);
    if (!owned) {
      this.#discard(pipe);
      return null;
    }
    sys.fcntl(pipe.input, F_SETPIPE_SZ, PIPE_BYTES);
    return pipe;
  }

  /** Takes back a pipe, with `left` bytes in it: only an empty one is kept. */
  give(pipe: KernelPipe, left: number): void {
    if (left === 0 && this.#free.length < KEPT) this.#free.push(pipe);
    else this.#discard(pipe);
  }

  #discard(pipe: KernelPipe): void {
    this.#made--;
    this.disown(pipe.input);
    this.disown(pipe.output);
    sys.close(pipe.input);
    sys.close(pipe.output);
  }
}
