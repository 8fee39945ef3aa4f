/** What this kernel says of itself. */
import { readFileSync } from "node:fs";

/** Bytes that it holds at most for one TCP connection that sends. */
export function sendBuffer(): number {
  return Number(readFileSync("/proc/sys/net/ipv4/tcp_wmem", "utf8").trim().split(/\s+/)[2]);
}
