/** Memory that threads and, during a takeover, two processes share: an anonymous file mapped by each of them. */
import { type Pointer, toArrayBuffer } from "bun:ffi";
import { errno, errnoName, sys } from "./libc.ts";

const MFD_CLOEXEC = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

/** A mapping that can be handed to a worker thread (`pointer`, `bytes`) or to another process (`fd`). */
export interface MappedMemory {
  readonly fd: number;
  readonly pointer: number;
  readonly bytes: number;
}

/** Makes `bytes` of zeroed shared memory. Pages cost nothing until they are touched. Throws when the kernel refuses. */
export function createMemory(name: string, bytes: number): MappedMemory {
  const fd = sys.memfd_create(Buffer.from(`${name}\0`), MFD_CLOEXEC);
  if (fd < 0) throw new Error(`shared memory cannot be created: ${errnoName(errno())}`);
  if (sys.ftruncate(fd, bytes) !== 0) throw new Error(`shared memory of ${bytes} bytes: ${errnoName(errno())}`);
  return mapMemory(fd, bytes);
}

/** Maps memory that another process made and passed as `fd`. */
export function mapMemory(fd: number, bytes: number): MappedMemory {
  const pointer = Number(sys.mmap(0, bytes, PROT_READ_WRITE, MAP_SHARED, fd, 0));
  // MAP_FAILED is (void *) -1, and arrives here as 2^64 - 1.
  if (pointer > Number.MAX_SAFE_INTEGER) throw new Error(`shared memory cannot be mapped: ${errnoName(errno())}`);
  return { fd, pointer, bytes };
}

/** The mapping as a buffer of this thread. Valid as long as the process lives: it is never unmapped. */
export function memoryBuffer(memory: MappedMemory): ArrayBuffer {
  return toArrayBuffer(memory.pointer as Pointer, 0, memory.bytes);
}
