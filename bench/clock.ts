/** The time since the machine started, in nanoseconds: the same in every process, unlike the runtime's own clocks. */
import { dlopen, FFIType } from "bun:ffi";

const libc = dlopen("libc.so.6", { clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 } });
const CLOCK_MONOTONIC = 1;
const time = new BigInt64Array(2);

export function now(): number {
  libc.symbols.clock_gettime(CLOCK_MONOTONIC, time);
  return Number(time[0]) * 1e9 + Number(time[1]);
}
