/**
 * The streaming cluster of examples/streaming.yaml, its first service: TLS ends at the balancer, `push` is balanced with a
 * cookie, `push1` and `push2` are pinned by host.
 */
import { endedHere } from "./arrangements.ts";
import { streamingSuite } from "./suite.ts";

streamingSuite(endedHere());
