/**
 * The streaming cluster of examples/streaming.yaml, its second service: TLS passes through to the nodes by the name that the
 * client asks for, behind a PROXY header of version 2.
 */
import { passedThrough } from "./arrangements.ts";
import { streamingSuite } from "./suite.ts";

streamingSuite(passedThrough);
