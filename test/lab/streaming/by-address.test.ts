/** The streaming cluster of examples/by-address.yaml: nothing is read, the address that was dialled decides. */
import { byAddress } from "./arrangements.ts";
import { streamingSuite } from "./suite.ts";

streamingSuite(byAddress({ proxy: false }));
