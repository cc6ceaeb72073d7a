import { systemClock } from "./clock.js";
import { Connection } from "./connection.js";
import type { MessageBody, MessageStatusChanged, UserTyping } from "./contract.gen.js";
import { RealtimeError } from "./errors.js";
import type { GetToken } from "./rest.js";
import { pauseMs } from "./retry.js";
import { Subscribers, type Unsubscribe } from "./subscribers.js";
import { VERSION } from "./version.js";
import { watchWake } from "./wake.js";
import { type OpenSocket, openSocketIo } from "./wire.js";

export interface SocketClientOptions {
  url?: string;
  path?: string;
  transports?: ("websocket" | "polling")[];
  withCredentials?: boolean;
  /** Print the lines that start with `[WebSocket]`; on unless switched off. */
  debug?: boolean;
  openSocket?: OpenSocket;
}

interface SeedEvents {
  "message:new": MessageBody;
  "message:status": MessageStatusChanged;
  user_typing: UserTyping;
}

/**
 * The small surface for pages that keep their own lists: events in, events out.
 *
 * Listeners may be added before or after `connect` and survive every reconnect; adding one
 * twice calls it once. Conversations that were joined are joined again with their cursor, so
 * that what was missed is replayed, and an event that was seen is not told again.
 */
export class SocketClient {
  private connection: Connection | undefined;
  private token: string | GetToken = "";
  private readonly joined = new Map<string, { seq: number | undefined; epoch?: string }>();
  private readonly listeners: { [E in keyof SeedEvents]: Subscribers<[SeedEvents[E]]> } = {
    "message:new": new Subscribers<[MessageBody]>(),
    "message:status": new Subscribers<[MessageStatusChanged]>(),
    user_typing: new Subscribers<[UserTyping]>(),
  };
  private readonly options: SocketClientOptions;

  constructor(options: SocketClientOptions = {}) {
    this.options = options;
  }

  /**
   * Connect with a token, or with a function that gives a fresh one whenever it is needed.
   *
   * Called again, the new token takes the place of the old one from the next handshake on: at
   * once where the connection is lost or has ended.
   */
  connect(token: string | GetToken): void {
    this.token = token;
    this.connection ??= this.open();
    this.connection.start();
  }

  disconnect(): void {
    this.log("Disconnecting...");
    this.connection?.stop();
    this.connection = undefined;
    this.joined.clear();
  }

  isConnected(): boolean {
    return this.connection?.status.state === "up";
  }

  joinConversation(conversationId: string): void {
    if (!this.joined.has(conversationId)) this.joined.set(conversationId, { seq: undefined });
    if (!this.isConnected()) {
      this.log("Not connected. The conversation is joined as soon as there is a connection.");
      return;
    }
    void this.join(conversationId);
  }

  leaveConversation(conversationId: string): void {
    this.joined.delete(conversationId);
    if (!this.isConnected()) return;
    this.log("Leaving conversation:", conversationId);
    this.emit("leave_conversation", { conversation_id: conversationId });
  }

  startTyping(conversationId: string): void {
    this.emit("typing_start", { conversation_id: conversationId });
  }

  stopTyping(conversationId: string): void {
    this.emit("typing_stop", { conversation_id: conversationId });
  }

  onNewMessage(listener: (message: MessageBody) => void): Unsubscribe {
    return this.listeners["message:new"].add(listener);
  }

  onMessageStatus(listener: (change: MessageStatusChanged) => void): Unsubscribe {
    return this.listeners["message:status"].add(listener);
  }

  onTyping(listener: (typing: UserTyping) => void): Unsubscribe {
    return this.listeners.user_typing.add(listener);
  }

  /** Remove one listener, or all of an event. */
  off<E extends keyof SeedEvents>(event: E, listener?: (data: SeedEvents[E]) => void): void {
    const subscribers: Subscribers<[SeedEvents[E]]> = this.listeners[event];
    if (listener) subscribers.remove(listener);
    else subscribers.clear();
  }

  private open(): Connection {
    const connection = new Connection({
      url: this.options.url ?? "",
      path: this.options.path ?? "/socket.io",
      transports: this.options.transports ?? ["websocket", "polling"],
      withCredentials: this.options.withCredentials ?? true,
      handshakeTimeoutMs: 20_000,
      getToken: (options) => (typeof this.token === "string" ? this.token : this.token(options)),
      openSocket: this.options.openSocket ?? openSocketIo,
      clock: systemClock,
      random: Math.random,
      watchWake,
      debug: (...line) => this.log(...line),
      client: { name: "@pytake/realtime", version: VERSION },
    });
    connection.onEvent((name, data) => this.receive(name, data));
    connection.onSession(() => this.rejoin());
    return connection;
  }

  private emit(event: string, payload: unknown): void {
    this.connection
      ?.request(event, payload)
      .catch((error: Error) => this.log("Error:", error.message));
  }

  private rejoin(): void {
    for (const conversationId of this.joined.keys()) void this.join(conversationId);
  }

  /** Join from where it was; again, if the server says that it may help and the session goes on. */
  private async join(conversation_id: string): Promise<void> {
    const sid = this.connection?.status.sid;
    const known = this.joined.get(conversation_id);
    if (!known) return;
    const { seq, epoch } = known;
    this.log("Joining conversation:", conversation_id);
    const cursor = seq === undefined ? {} : { last_seq: seq, epoch };
    try {
      await this.connection?.request("join_conversation", { conversation_id, ...cursor });
    } catch (error) {
      const { message, retryable, retryAfterMs } = RealtimeError.of(error);
      this.log("Error:", message);
      if (!retryable) return;
      systemClock.after(pauseMs(1, retryAfterMs), () => {
        if (this.isConnected() && this.connection?.status.sid === sid) {
          void this.join(conversation_id);
        }
      });
    }
  }

  private receive(name: string, data: unknown): void {
    if (name === "joined_conversation") this.begin(data as JoinAnswer);
    else if (name === "user_typing") this.listeners.user_typing.tell(data as UserTyping);
    else if (name === "message:new" && this.isNew(data as MessageBody)) {
      this.log("New message received:", data);
      this.listeners["message:new"].tell(data as MessageBody);
    } else if (name === "message:status") this.status(data as MessageStatusChanged);
    else if (name === "message:status_batch") {
      for (const each of (data as { updates: MessageStatusChanged[] }).updates) this.status(each);
    } else if (name === "conversation:updated") this.isNew(data as MessageBody);
  }

  private status(change: MessageStatusChanged): void {
    if (!this.isNew(change)) return;
    this.log("Message status update:", change);
    this.listeners["message:status"].tell(change);
  }

  private begin(answer: JoinAnswer): void {
    const known = this.joined.get(answer.conversation_id);
    if (!known) return;
    known.epoch = answer.epoch;
    if (!answer.recovered || known.seq === undefined) known.seq = answer.seq;
  }

  private isNew({ conversation_id, seq }: { conversation_id: string; seq: number }): boolean {
    const known = this.joined.get(conversation_id);
    if (known?.seq !== undefined && seq <= known.seq) return false;
    if (known) known.seq = seq;
    return true;
  }

  private log(...line: unknown[]): void {
    if (this.options.debug !== false) console.info("[WebSocket]", ...line);
  }
}

interface JoinAnswer {
  conversation_id: string;
  seq: number;
  epoch: string;
  recovered: boolean;
}

/** The ready singleton: same origin, WebSocket first. */
export const socketClient = new SocketClient();
export default socketClient;
