/** What a log can say of a request that was not accepted. */
import { ascii } from "../ascii.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { FieldList } from "./field-list.ts";
import { isText } from "./field-rules.ts";

const METHOD = ascii(":method");
const AUTHORITY = ascii(":authority");
const PATH = ascii(":path");

/** Notes where in `list.bytes` the method, the host and the target are, as far as they have come; nothing of it was judged. */
export function describeRequest(list: FieldList, out: RequestHead): void {
  for (let i = 0; i < list.count; i++) {
    const value = list.valueAt(i);
    const end = list.valueEnd(i);
    if (isText(list.bytes, list.nameAt(i), value, METHOD)) [out.methodAt, out.methodEnd] = [value, end];
    else if (isText(list.bytes, list.nameAt(i), value, AUTHORITY)) [out.hostAt, out.hostEnd] = [value, end];
    else if (isText(list.bytes, list.nameAt(i), value, PATH)) [out.targetAt, out.targetEnd] = [value, end];
  }
}
