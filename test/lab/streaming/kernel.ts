/** What this kernel says of itself. */
import { readFileSync } from "node:fs";

/** Bytes that the two ends of one TCP connection hold at most: the largest receive and send buffers. */
export function tcpBuffers(): number {
  const most = (name: string): number =>
    Number(readFileSync(`/proc/sys/net/ipv4/${name}`, "utf8").trim().split(/\s+/)[2]);
  return most("tcp_rmem") + most("tcp_wmem");
}
