/** What a service's plan says of HTTP, made ready for each request: rules for heads, and answers of our own. */
import { type Answer, buildAnswer, builtInAnswer } from "../../../protocols/http1/answer.ts";
import { RequestRules, ResponseRules } from "../../../protocols/http1/write.ts";
import type { HttpRequest } from "../../client.ts";
import type { AnswerPlan, Field, HttpPlan, ServicePlan } from "../../plan.ts";
import { locationFor } from "./redirect.ts";

/** Seconds after which a client may ask again when no server can be had. */
const RETRY_AFTER_SEC = 5;

export class HttpService {
  readonly plan: HttpPlan;
  readonly requestRules: RequestRules;
  readonly responseRules: ResponseRules;
  /** The field that tells servers of a client's certificate; "": none does. */
  readonly certificateField: string;
  /** Some limit for each source is set. */
  readonly limitsSources: boolean;
  readonly #answers = new Map<number, Answer>();
  readonly #fixed = new Map<AnswerPlan, Answer>();

  constructor(service: ServicePlan) {
    const plan = service.http!;
    this.plan = plan;
    const header = service.tls?.clients?.header ?? "";
    this.certificateField = header;
    this.requestRules = new RequestRules({
      set: plan.setRequest,
      // Only we say who has shown a certificate.
      remove: header === "" ? plan.removeRequest : [...plan.removeRequest, header],
      forwarded: plan.forwarded,
    });
    this.responseRules = new ResponseRules({ set: plan.setResponse, remove: plan.removeResponse });
    this.limitsSources = plan.limits.requestsPerSource > 0 || plan.limits.concurrentPerSource > 0;
  }

  /** Our own answer of that status. 503 is the administrator's page, where there is one. */
  answer(status: number): Answer {
    let answer = this.#answers.get(status);
    if (answer === undefined) {
      answer = this.#build(status);
      this.#answers.set(status, answer);
    }
    return answer;
  }

  #build(status: number): Answer {
    const fields: Field[] = [...this.plan.setResponse, ...this.#fieldsFor(status)];
    const { sorry } = this.plan;
    if (status !== 503 || sorry === null) return builtInAnswer(status, fields);
    // The administrator's own Retry-After wins.
    const own = new Set(sorry.fields.map(({ name }) => name.toLowerCase()));
    const rest = fields.filter(({ name }) => !own.has(name.toLowerCase()));
    return buildAnswer(sorry.status, sorry.contentType, sorry.body, [...rest, ...sorry.fields]);
  }

  #fieldsFor(status: number): Field[] {
    if (status === 503) return [{ name: "Retry-After", value: `${RETRY_AFTER_SEC}` }];
    if (status === 405) return [{ name: "Allow", value: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE" }];
    if (status !== 429) return [];
    const { requestsPerSource, requestsPerSourceMs } = this.plan.limits;
    const seconds = requestsPerSource > 0 ? Math.ceil(requestsPerSourceMs / requestsPerSource / 1000) : 1;
    return [{ name: "Retry-After", value: `${Math.max(1, seconds)}` }];
  }

  /** What a route answers `request` with. `secure`: the client speaks TLS. */
  answerOf(plan: AnswerPlan, { bytes, head }: HttpRequest, secure: boolean): Answer {
    if (plan.kind === "fixed") return this.#fixedAnswer(plan);
    const location = locationFor(plan, bytes, head, secure);
    return location === undefined ? this.answer(400) : this.#redirect(plan.status, location);
  }

  #fixedAnswer(plan: Extract<AnswerPlan, { kind: "fixed" }>): Answer {
    let answer = this.#fixed.get(plan);
    if (answer === undefined) {
      answer = buildAnswer(plan.status, plan.contentType, plan.body, [...this.plan.setResponse, ...plan.fields]);
      this.#fixed.set(plan, answer);
    }
    return answer;
  }

  /** A redirect to `location`, which is made of nothing but checked bytes. */
  #redirect(status: number, location: string): Answer {
    const fields = [...this.plan.setResponse, { name: "Location", value: location }];
    return buildAnswer(status, "text/plain", new Uint8Array(0), fields);
  }
}
