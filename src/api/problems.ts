/** Errors as the admin API answers them: RFC 9457, with the code of our catalogue. */
import { ERRORS, type ErrorCode, type HoldfastError } from "../errors.ts";
import type { ProblemDetails } from "./schemas.ts";

/** The content type of every error (RFC 9457 section 3). */
export const PROBLEM_TYPE = "application/problem+json";

/** The address of a code's heading, as documentation sites make anchors: letters, digits and dashes stay. */
export const documentationOf = (code: ErrorCode) => `docs/errors.md#${code.replaceAll(/[^a-z0-9-]/g, "")}`;

/** An error for the wire. `instance` is the request's id, also in the log. */
export function problemDetails(
  error: HoldfastError,
  instance: string,
  errors?: ProblemDetails["errors"],
): ProblemDetails {
  return {
    type: documentationOf(error.code),
    code: error.code,
    title: ERRORS[error.code].title,
    status: error.status,
    detail: error.message,
    instance,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(errors === undefined ? {} : { errors }),
  };
}

/** The response for it. */
export function problemResponse(details: ProblemDetails): Response {
  return new Response(JSON.stringify(details), {
    status: details.status,
    headers: { "content-type": PROBLEM_TYPE },
  });
}
