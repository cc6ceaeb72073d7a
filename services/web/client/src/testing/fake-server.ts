import type { Clock } from "../clock.js";
import type { OpenSocket, WireHandlers, WireOptions, WireSocket } from "../wire.js";
import { FakeClock } from "./fake-clock.js";
import { answer, type FakeAnswer, refuse } from "./fake-rest.js";
import { type FakeConversation, FakeWorld, type ServerEvents } from "./fake-world.js";

type Acknowledge = (answer: unknown) => void;

/** One client at the fake server. */
export class FakeConnection implements WireSocket {
  readonly rooms = new Set<string>();
  handlers: WireHandlers | undefined;
  isOpen = true;
  /** Swallow what the server says, as a dead network does. */
  isDeaf = false;

  constructor(
    readonly sid: string,
    readonly userId: string,
    readonly options: WireOptions,
    private readonly server: FakeServer<Clock>,
  ) {}

  listen(handlers: WireHandlers): void {
    this.handlers = handlers;
    queueMicrotask(() => this.server.handshake(this));
  }

  emit(event: string, payload: unknown, acknowledge: Acknowledge): void {
    queueMicrotask(() => {
      if (this.isOpen && !this.isDeaf) this.server.handle(this, event, payload, acknowledge);
    });
  }

  transport(): string {
    return this.options.transports[0] ?? "websocket";
  }

  close(): void {
    this.isOpen = false;
    this.server.connections.delete(this);
  }

  say<E extends keyof ServerEvents>(event: E, data: ServerEvents[E]): void {
    if (this.isOpen && !this.isDeaf) this.handlers?.onEvent(event, structuredClone(data));
  }

  /** End it as the network does (`byServer: false`) or with a DISCONNECT packet. */
  end(reason = "transport close", byServer = false): void {
    if (!this.isOpen) return;
    this.close();
    this.handlers?.onDisconnect(byServer ? "io server disconnect" : reason, byServer);
  }
}

/**
 * A server of PyTake Realtime in memory, for tests of pages and of this package.
 *
 * Hand `openSocket`, `fetch` and `clock` to a `RealtimeClient`; make things happen with
 * `world`, and things go wrong with the members below.
 */
export class FakeServer<C extends Clock = FakeClock> {
  readonly clock: C;
  readonly world: FakeWorld;
  readonly connections = new Set<FakeConnection>();
  /** Every event that clients sent, and every REST request, in order. */
  readonly received: { event: string; payload: unknown; sid: string }[] = [];
  readonly requests: { method: string; path: string }[] = [];
  /** Handshakes: every `auth` that was sent. */
  readonly handshakes: Record<string, unknown>[] = [];

  /** Refuse handshakes until told otherwise: a code, or "unreachable" for no answer at all. */
  refuseWith: string | undefined;
  /** No REST answer at all. */
  isRestDown = false;
  /** REST requests vanish: neither an answer nor an error. */
  isRestMute = false;
  /** REST answers, made when they were asked for, arrive once this is settled. */
  restWaitsFor: Promise<unknown> | undefined;
  /** Answer the next requests so, instead of properly. */
  readonly nextAnswers: FakeAnswer[] = [];
  /** Refuse the next events of clients so. */
  readonly nextRefusals: { code: string; retryable: boolean; retry_after_ms?: number }[] = [];
  /** Events of clients that get no answer. */
  readonly unanswered = new Set<string>();
  /** Lose the next live events instead of sending them. */
  loseEvents = 0;
  /** Nothing older can be replayed: joins answer `recovered: false`. */
  oldestKept = 1;
  tokenTtlMs = 900_000;
  validToken: (token: string) => boolean = () => true;
  private lastSid = 0;

  constructor(clock?: C | undefined) {
    // Left out, `C` is the fake clock: that is its default.
    this.clock = clock ?? (new FakeClock() as Clock as C);
    this.world = new FakeWorld(
      () => this.clock.now(),
      (conversation, event, data) => this.publish(conversation, event, data),
    );
  }

  /** The token of a user, as `getToken` should give it. */
  token(userId: string, serial = 0): string {
    return `${userId}#${serial}`;
  }

  openSocket: OpenSocket = (options) => {
    this.lastSid += 1;
    const userId = String(options.auth.token).split("#")[0] ?? "";
    return new FakeConnection(`sid-${this.lastSid}`, userId, options, this);
  };

  fetch: typeof fetch = async (input, init) => {
    const url = new URL(String(input), "http://fake");
    const method = init?.method ?? "GET";
    this.requests.push({ method, path: url.pathname });
    if (this.isRestDown) throw new TypeError("Failed to fetch");
    if (this.isRestMute) return aborted(init?.signal);
    const headers = new Headers(init?.headers);
    const token = headers.get("authorization")?.replace("Bearer ", "") ?? "";
    const {
      status,
      body,
      headers: more,
    } = this.nextAnswers.shift() ??
    (this.validToken(token)
      ? answer(this.world, {
          method,
          path: url.pathname,
          query: url.searchParams,
          body: init?.body ? JSON.parse(String(init.body)) : {},
          userId: token.split("#")[0] ?? "",
        })
      : refuse(401, "token_expired"));
    await this.restWaitsFor;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return new Response(text, { status, headers: more ?? {} });
  };

  /** Every connection is cut, as when a pod is killed. */
  cutAll(): void {
    for (const connection of [...this.connections]) connection.end();
  }

  /** The pod is about to end. */
  drain(reconnectAfterMs: number): void {
    for (const connection of this.connections) {
      connection.say("server:draining", { reconnect_after_ms: reconnectAfterMs });
    }
  }

  /** Say `error` with a code and end by DISCONNECT, as for `connection_cap`. */
  expel(connection: FakeConnection, code: string, retryable = false): void {
    connection.say("error", { message: code, code, retryable });
    connection.end("", true);
  }

  // --- the protocol ------------------------------------------------------------------------

  handshake(connection: FakeConnection): void {
    if (!connection.isOpen) return;
    const { auth } = connection.options;
    this.handshakes.push(auth);
    const code = this.validToken(String(auth.token)) ? this.refuseWith : "token_expired";
    if (code === "unreachable") connection.handlers?.onRefused({ message: "xhr poll error" });
    else if (code)
      connection.handlers?.onRefused({ message: code, code, retryable: code === "token_expired" });
    if (code) return;
    this.connections.add(connection);
    connection.handlers?.onConnect(connection.sid);
    connection.say("connected", {
      message: "Connected",
      user_id: connection.userId,
      sid: connection.sid,
      server_time: this.world.time(),
      expires_at: new Date(this.clock.now() + this.tokenTtlMs).toISOString(),
    });
  }

  handle(from: FakeConnection, event: string, payload: unknown, acknowledge: Acknowledge): void {
    this.received.push({ event, payload, sid: from.sid });
    if (this.unanswered.has(event)) return;
    const refusal = this.nextRefusals.shift();
    if (refusal) {
      acknowledge({ ok: false, error: { message: refusal.code, event, ...refusal } });
      return;
    }
    const body = (payload ?? {}) as Record<string, unknown>;
    if (event === "join_conversations") {
      this.joinMany(from, body.conversations as Record<string, unknown>[], acknowledge);
    } else if (event === "join_conversation") this.join(from, body, acknowledge)();
    else if (event === "mark_read") {
      this.markRead(from, body);
      acknowledge({ ok: true });
    } else if (event === "auth:refresh") {
      const expires_at = new Date(this.clock.now() + this.tokenTtlMs).toISOString();
      acknowledge({ ok: true, expires_at });
    } else {
      if (event === "leave_conversation") from.rooms.delete(String(body.conversation_id));
      if (event.startsWith("typing_")) this.typing(from, body, event === "typing_start");
      acknowledge({ ok: true });
    }
  }

  private joinMany(
    from: FakeConnection,
    wanted: Record<string, unknown>[],
    acknowledge: Acknowledge,
  ): void {
    const answers: unknown[] = [];
    const replays = wanted.map((each) => this.join(from, each, (answer) => answers.push(answer)));
    acknowledge({ ok: true, conversations: answers });
    for (const replay of replays) replay();
  }

  /** Answers, and returns what sends the missed events. */
  private join(
    from: FakeConnection,
    body: Record<string, unknown>,
    acknowledge: Acknowledge,
  ): () => void {
    const conversation_id = String(body.conversation_id);
    const conversation = this.world.conversations.get(conversation_id);
    if (!conversation) {
      const event = "join_conversation";
      const error = { code: "not_found", message: "not found", retryable: false, event };
      acknowledge({ ok: false, error });
      from.say("error", error);
      return () => {};
    }
    const seq = conversation.body.last_seq;
    const { epoch } = this.world;
    const last = body.last_seq as number | undefined;
    const recovered =
      last !== undefined && body.epoch === epoch && last + 1 >= this.oldestKept && last <= seq;
    const missed = recovered ? conversation.log.filter((event) => event.seq > last) : [];
    const replayed = missed.length;
    const joined = { conversation_id, message: "Joined", seq, epoch, recovered, replayed };
    from.rooms.add(conversation_id);
    from.say("joined_conversation", joined);
    acknowledge({ ok: true, ...joined });
    return () => {
      for (const event of missed) from.say(event.event, event.data as never);
    };
  }

  private markRead(from: FakeConnection, body: Record<string, unknown>): void {
    const conversation = this.world.conversations.get(String(body.conversation_id));
    if (!conversation) return;
    const news = this.world.read(conversation, from.userId, Number(body.seq));
    for (const connection of this.connections) {
      if (connection.userId === from.userId) connection.say("conversation:read", news);
    }
  }

  private typing(from: FakeConnection, body: Record<string, unknown>, typing: boolean): void {
    const conversation_id = String(body.conversation_id);
    for (const connection of this.connections) {
      if (connection === from || !connection.rooms.has(conversation_id)) continue;
      connection.say("user_typing", { conversation_id, user_id: from.userId, typing });
    }
  }

  private publish<E extends keyof ServerEvents>(
    conversation: FakeConversation,
    event: E,
    data: ServerEvents[E],
  ): void {
    const isLost = this.loseEvents > 0;
    if (isLost) this.loseEvents -= 1;
    for (const connection of this.connections) {
      if (!isLost && connection.rooms.has(conversation.body.id)) connection.say(event, data);
      if (event !== "message:status") {
        const { body } = conversation;
        connection.say("inbox:updated", { conversation: { ...body, unread_count: 0 } });
      }
    }
  }
}

/** Never settles but by the hand of who asked. */
function aborted(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason));
  });
}
