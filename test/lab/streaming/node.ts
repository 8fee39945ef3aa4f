/**
 * A node of a streaming cluster, as honest as its tests need: it speaks TLCP 2.5.0 over WebSocket and HTTP, holds its own
 * sessions only, says which requests it got from whom, and refuses what belongs to another node.
 */
import { randomBytes } from "node:crypto";
import type { Certificate } from "../certificates.ts";
import { EventLog } from "../session-log.ts";
import { type Answer, field, type Request, serveHttp } from "./http.ts";
import { type Listener, listen } from "./listener.ts";
import { Session, type Sink } from "./session.ts";
import * as tlcp from "./tlcp.ts";

const TICK_MS = 50;
const LOOPBACK = "127.0.0.1";
const TRANSPORT_HTTP = "http";

export interface PortOptions {
  readonly host?: string;
  readonly port?: number;
  readonly proxy?: boolean;
  readonly certificate?: Certificate;
  /** `control`: new sessions are refused here (CONTROL_ONLY). */
  readonly takes?: "all" | "control";
  /** Where the true address of a client stands: in the connection (or its PROXY header), or in X-Forwarded-For. */
  readonly clients?: "connection" | "forwarded";
}

export interface NodeOptions {
  readonly name: string;
  /** By name. */
  readonly ports: Readonly<Record<string, PortOptions>>;
}

/** One of its ports, as a request meets it. */
interface Port {
  readonly name: string;
  readonly takes: "all" | "control";
  readonly clients: "connection" | "forwarded";
}

/** One request that a node got. */
export interface NodeEvent {
  readonly node: string;
  /** Which of its ports. */
  readonly port: string;
  /** `web_socket`: a handshake; `page`: anything outside of the protocol. */
  readonly what: tlcp.Verb | "web_socket" | "page" | "closed";
  readonly over: "ws" | "http";
  readonly polling: boolean;
  /** Of the session that is meant, or was made; "" if none. */
  readonly session: string;
  readonly host: string;
  /** Who it is, as the node sees it. */
  readonly client: string;
  /** Every X-Forwarded-For that came. */
  readonly forwardedFor: readonly string[];
  readonly forwardedProto: string;
  readonly forwardedPort: string;
  readonly proxy: "v1" | "v2" | "none";
  readonly cookie: string;
  /** LS_cause: why the client says that it does this. */
  readonly cause: string;
  /** The error that was answered; 0: none. */
  readonly error: number;
}

export class StreamingNode {
  readonly sessions = new Map<string, Session>();
  /** Handshakes of WebSockets are answered with 403. */
  refusesWebSockets = false;
  /** The host that control and rebind requests of new sessions are to go to; "*": where the client came from. */
  controlLink = "*";
  readonly name: string;
  readonly log: EventLog<NodeEvent>;
  readonly #ports: NodeOptions["ports"];
  readonly #listeners = new Map<string, Listener>();
  /** Another one after each start: sessions of the last are not its own. */
  readonly #incarnation = randomBytes(3).toString("hex");
  readonly #ticking: ReturnType<typeof setInterval>;
  #count = 0;

  private constructor(options: NodeOptions, log: EventLog<NodeEvent>) {
    this.name = options.name;
    this.#ports = options.ports;
    this.log = log;
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
  }

  static async start(options: NodeOptions, log: EventLog<NodeEvent> = new EventLog()): Promise<StreamingNode> {
    const node = new StreamingNode(options, log);
    for (const [name, port] of Object.entries(options.ports)) {
      const { host = LOOPBACK, port: number = 0, takes = "all", clients = "connection", ...rest } = port;
      const listener = await listen({ host, port: number, ...rest }, (connection) =>
        serveHttp(connection, (request, answer) => node.#serve(request, answer, { name, takes, clients })),
      );
      node.#listeners.set(name, listener);
    }
    return node;
  }

  /** Where one of its ports listens. */
  address(port: string): { readonly host: string; readonly number: number } {
    return { host: this.#ports[port]?.host ?? LOOPBACK, number: this.#listeners.get(port)!.port };
  }

  /** Does any of its ports expect a PROXY header? */
  get expectsProxy(): boolean {
    return Object.values(this.#ports).some(({ proxy }) => proxy);
  }

  /** Ends it, as if its machine had lost power. */
  async stop(): Promise<void> {
    clearInterval(this.#ticking);
    await Promise.all([...this.#listeners.values()].map((listener) => listener.close()));
  }

  /** Says `bytes` of updates to a session, more than its connection may take. */
  flood(session: Session, bytes: number, each = 8192): void {
    const [subscription] = session.updates.keys();
    for (let said = 0; said < bytes; said += each) this.#update(session, subscription!, "x".repeat(each));
  }

  #tick(): void {
    for (const session of this.sessions.values()) {
      // Who does not read is not told more: a real node thins out its updates.
      if (session.waiting > 100) continue;
      for (const subscription of session.updates.keys()) this.#update(session, subscription, this.name);
    }
  }

  #update(session: Session, subscription: string, value: string): void {
    const count = session.updates.get(subscription)! + 1;
    session.updates.set(subscription, count);
    session.say(`U,${subscription},1,${count}|${value}`);
  }

  #serve(request: Request, answer: Answer, port: Port): void {
    const [path = "", query = ""] = request.path.split("?");
    const told = (order: tlcp.Order | undefined, over: "ws" | "http", session: string, error = 0): void =>
      this.#record(request, port, order?.verb ?? "page", over, order?.parameters, session, error);
    if (path === tlcp.PREFIX && field(request, "upgrade").toLowerCase() === "websocket") {
      return this.#serveWebSocket(request, answer, port, told);
    }
    const verb = tlcp.verbOf(path.slice(tlcp.PREFIX.length + 1).replace(/\.txt$/, ""));
    if (!verb || request.method !== "POST") {
      told(undefined, TRANSPORT_HTTP, "");
      return answer.whole(path === "/" || path === "/who" ? 200 : 404, this.#about(request, port), "application/json");
    }
    const orders = tlcp.readBody(verb, request.body);
    if (verb === "create_session" || verb === "bind_session") {
      const sink = answer.stream();
      this.#openSession(orders[0]!, sink, request, port, (session, error) => {
        told(orders[0]!, TRANSPORT_HTTP, session?.id ?? "", error);
        if (session) sink.closed = () => session.lost(sink);
        else sink.end();
      });
      return;
    }
    const answers = orders.map((order) => {
      // A control request names its session in the query, once for all its lines.
      const id = order.parameters.get("LS_session") ?? new URLSearchParams(query).get("LS_session") ?? "";
      const { text, error } = this.#obey(order, id);
      told(order, TRANSPORT_HTTP, id, error);
      return text;
    });
    answer.whole(200, answers.join(""), "text/enriched");
  }

  #serveWebSocket(
    request: Request,
    answer: Answer,
    port: Port,
    told: (order: tlcp.Order, over: "ws", session: string, error: number) => void,
  ): void {
    this.#record(request, port, "web_socket", "ws", undefined, "", this.refusesWebSockets ? 403 : 0);
    if (this.refusesWebSockets) return answer.whole(403, "no WebSocket here");
    let current: Session | undefined;
    const serve = (order: tlcp.Order): void => {
      if (order.verb === "wsok") return void socket.write(tlcp.WEB_SOCKET_OK);
      if (order.verb === "create_session" || order.verb === "bind_session") {
        this.#openSession(order, socket, request, port, (session, error) => {
          told(order, "ws", session?.id ?? "", error);
          current = session;
        });
        return;
      }
      const id = order.parameters.get("LS_session") ?? current?.id ?? "";
      const { text, error } = this.#obey(order, id);
      told(order, "ws", id, error);
      socket.write(text);
    };
    const socket = answer.webSocket(
      tlcp.SUBPROTOCOL,
      (message) => {
        for (const order of tlcp.readMessage(message)) serve(order);
      },
      () => {
        this.#record(request, port, "closed", "ws", undefined, current?.id ?? "", 0);
        current?.lost(socket);
      },
    );
  }

  /** Creates or binds, and says so to `opened` before anything is written for it. */
  #openSession(
    { verb, parameters }: tlcp.Order,
    sink: Sink,
    request: Request,
    port: Port,
    opened: (session: Session | undefined, error: number) => void,
  ): void {
    const error = verb === "create_session" && port.takes === "control" ? tlcp.CREATE_NOT_ALLOWED : 0;
    const found = verb === "bind_session" ? this.#find(parameters.get("LS_session") ?? "") : error || this.#create();
    if (typeof found === "number") {
      sink.write(tlcp.refusedSession(found));
      return opened(undefined, found);
    }
    opened(found, 0);
    const recoverFrom = parameters.get("LS_recovery_from");
    found.attach(sink, this.#client(request, port), {
      ...(parameters.get("LS_polling") === "true" && { pollingIdleMs: Number(parameters.get("LS_idle_millis") ?? 0) }),
      ...(recoverFrom !== null && { recoverFrom: Number(recoverFrom) }),
    });
  }

  #create(): Session {
    const id = `${this.name}.${this.#incarnation}.${++this.#count}`;
    const session = new Session(id, this.name, this.controlLink, () => this.sessions.delete(id));
    this.sessions.set(id, session);
    return session;
  }

  /** The session, or why it is not here: another node's, or one that is gone (with the node that it was on, maybe). */
  #find(id: string): Session | number {
    if (!id.startsWith(`${this.name}.`)) return tlcp.WRONG_NODE;
    return this.sessions.get(id) ?? tlcp.NOT_FOUND;
  }

  #obey({ verb, parameters }: tlcp.Order, id: string): { readonly text: string; readonly error: number } {
    const request = parameters.get("LS_reqId") ?? "";
    if (verb === "heartbeat") return { text: tlcp.accepted(""), error: 0 };
    const found = this.#find(id);
    if (typeof found === "number") {
      const error = found === tlcp.WRONG_NODE ? tlcp.WRONG_NODE_CONTROL : found;
      return { text: tlcp.refused(request, error), error };
    }
    // What an order brings about is said behind its answer, as the protocol wants it.
    if (verb === "msg") queueMicrotask(() => found.say(`MSGDONE,*,${parameters.get("LS_msg_prog") ?? 1},`));
    else queueMicrotask(() => this.#control(found, parameters));
    return { text: tlcp.accepted(request), error: 0 };
  }

  #control(session: Session, parameters: URLSearchParams): void {
    const subscription = parameters.get("LS_subId") ?? "";
    switch (parameters.get("LS_op")) {
      case "add":
        session.updates.set(subscription, 0);
        session.say(`SUBOK,${subscription},1,2`);
        return session.say(`CONF,${subscription},unlimited,filtered`);
      case "delete":
        session.updates.delete(subscription);
        return session.say(`UNSUB,${subscription}`);
      case "force_rebind":
        return session.rebind();
      case "destroy":
        return session.end(31);
    }
  }

  /** What a client that speaks only HTTP is told about its request. */
  #about(request: Request, port: Port): string {
    const { name } = port;
    return JSON.stringify({
      node: this.name,
      port: name,
      client: this.#client(request, port),
      fields: [...request.fields],
    });
  }

  #client({ connection, fields }: Request, port: Port): string {
    if (port.clients === "connection") return connection.client;
    return (fields.get("x-forwarded-for") ?? []).join(", ");
  }

  #record(
    request: Request,
    port: Port,
    what: NodeEvent["what"],
    over: "ws" | "http",
    parameters: URLSearchParams | undefined,
    session: string,
    error: number,
  ): void {
    this.log.add({
      node: this.name,
      port: port.name,
      what,
      over,
      polling: parameters?.get("LS_polling") === "true",
      session,
      host: field(request, "host"),
      client: this.#client(request, port),
      forwardedFor: request.fields.get("x-forwarded-for") ?? [],
      forwardedProto: field(request, "x-forwarded-proto"),
      forwardedPort: field(request, "x-forwarded-port"),
      proxy: request.connection.proxy ?? "none",
      cookie: field(request, "cookie"),
      cause: parameters?.get("LS_cause") ?? "",
      error,
    });
  }
}
