import type { Clock } from "./clock.js";
import type { ErrorCode, MessageBody, MessageType } from "./contract.gen.js";
import { RealtimeError } from "./errors.js";
import type { OutboxStorage } from "./outbox-storage.js";
import type { Rest } from "./rest.js";
import { retryDelayMs } from "./retry.js";
import { Subscribers, type Unsubscribe } from "./subscribers.js";
import type { Tabs } from "./tabs.js";

/** What a user wants to send. */
export interface Draft {
  message_type?: MessageType;
  content: Record<string, unknown>;
  /** The newest `seq` on the screen: the server refuses with `stale_view` if somebody wrote since. */
  based_on_seq?: number;
  retry_of?: string;
}

/** A message on its way to the server. "failed" stays until it is retried or discarded. */
export interface OutboxItem {
  client_message_id: string;
  user_id: string;
  conversation_id: string;
  message_type: MessageType;
  content: Record<string, unknown>;
  based_on_seq?: number;
  retry_of?: string;
  created_at: string;
  state: "waiting" | "failed";
  error?: { code: string; message: string; trace_id?: string; body: Record<string, unknown> };
}

/** Refusals of the user, not of the message: it goes out with the next token. */
const OF_THE_TOKEN: ReadonlySet<string> = new Set<ErrorCode>([
  "invalid_token",
  "token_expired",
  "token_revoked",
]);

export interface OutboxContext {
  userId: string;
  rest: Rest;
  clock: Clock;
  random: () => number;
  storage: OutboxStorage;
  tabs: Tabs;
  newId: () => string;
}

/** What tabs tell each other of their common queue. */
export type OutboxNews =
  | { kind: "outbox:put"; item: OutboxItem }
  | { kind: "outbox:remove"; clientMessageId: string }
  | { kind: "outbox:accepted"; message: MessageBody };

/**
 * Messages that wait for the server, in order for each conversation.
 *
 * They are stored before and removed after the server took them; the leading tab alone sends.
 * The same `client_message_id` makes it harmless to send one twice, so whatever dies in
 * between, the customer gets the message once.
 */
export class Outbox {
  private items = new Map<string, OutboxItem>();
  /** What `of` said, for as long as it is true. */
  private readonly lists = new Map<string, readonly OutboxItem[]>();
  private sending = new Set<string>();
  private attempts = new Map<string, number>();
  private timers = new Map<string, Unsubscribe>();
  /** When the newest message was written: no two at the same time, so that their order can be stored. */
  private newest = 0;
  private isClosed = false;
  private readonly changes = new Subscribers<[conversationId: string]>();
  private readonly acceptances = new Subscribers<[MessageBody]>();

  constructor(private readonly context: OutboxContext) {
    context.tabs.onMessage((message) => this.hear(message as OutboxNews));
    context.tabs.onLead(() => this.flush());
  }

  onChange = (listener: (conversationId: string) => void) => this.changes.add(listener);
  onAccepted = (listener: (message: MessageBody) => void) => this.acceptances.add(listener);

  /** Take up what an earlier page left behind. */
  async load(): Promise<void> {
    for (const item of await this.context.storage.all(this.context.userId)) {
      if (!this.items.has(item.client_message_id)) this.keep(item);
    }
    this.flush();
  }

  /** The messages of a conversation, oldest first; the same array until one of them changes. */
  of(conversationId: string): readonly OutboxItem[] {
    let list = this.lists.get(conversationId);
    if (!list) {
      list = [...this.items.values()]
        .filter((item) => item.conversation_id === conversationId)
        .sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
      this.lists.set(conversationId, list);
    }
    return list;
  }

  get waiting(): number {
    return [...this.items.values()].filter((item) => item.state === "waiting").length;
  }

  add(conversationId: string, draft: Draft): OutboxItem {
    const item: OutboxItem = {
      client_message_id: this.context.newId(),
      user_id: this.context.userId,
      conversation_id: conversationId,
      message_type: draft.message_type ?? "text",
      content: draft.content,
      ...(draft.based_on_seq === undefined ? {} : { based_on_seq: draft.based_on_seq }),
      ...(draft.retry_of === undefined ? {} : { retry_of: draft.retry_of }),
      created_at: new Date(Math.max(this.context.clock.now(), this.newest + 1)).toISOString(),
      state: "waiting",
    };
    this.change(item);
    return item;
  }

  /** Send a failed one again; without `based_on_seq` it goes out whatever was written since. */
  retry(clientMessageId: string): void {
    const item = this.items.get(clientMessageId);
    if (!item) return;
    const { error: _error, based_on_seq: _seq, ...rest } = item;
    this.change({ ...rest, state: "waiting" });
  }

  discard(clientMessageId: string): void {
    this.drop(clientMessageId);
    this.context.tabs.post({ kind: "outbox:remove", clientMessageId } satisfies OutboxNews);
  }

  /** Try everything that waits, now: the way to the server is open again. */
  flush(): void {
    this.attempts.clear();
    for (const conversationId of new Set([...this.items.values()].map((i) => i.conversation_id))) {
      this.timers.get(conversationId)?.();
      void this.send(conversationId);
    }
  }

  close(): void {
    this.isClosed = true;
    for (const cancel of this.timers.values()) cancel();
  }

  // --- sending ---------------------------------------------------------------------------

  private async send(conversationId: string): Promise<void> {
    if (this.sending.has(conversationId) || !this.context.tabs.isLeader) return;
    this.sending.add(conversationId);
    try {
      for (let next = this.next(conversationId); next; next = this.next(conversationId)) {
        if (this.isClosed || !(await this.sendOne(next))) return;
      }
    } finally {
      this.sending.delete(conversationId);
    }
  }

  private next(conversationId: string): OutboxItem | undefined {
    return this.of(conversationId).find((item) => item.state === "waiting");
  }

  /** Returns whether the next one may be tried. */
  private async sendOne(item: OutboxItem): Promise<boolean> {
    const { conversation_id, client_message_id, message_type, content } = item;
    try {
      const message = await this.context.rest.post<MessageBody>(
        `/conversations/${conversation_id}/messages`,
        {
          message_type,
          content,
          client_message_id,
          based_on_seq: item.based_on_seq,
          retry_of: item.retry_of,
        },
      );
      this.context.tabs.post({ kind: "outbox:accepted", message } satisfies OutboxNews);
      this.accept(client_message_id, message);
      return true;
    } catch (error) {
      return this.refused(item, error);
    }
  }

  private refused(item: OutboxItem, cause: unknown): boolean {
    const error = RealtimeError.of(cause);
    if (!error.retryable && !OF_THE_TOKEN.has(error.code)) {
      const { code, message, traceId, body } = error;
      const told = traceId === undefined ? {} : { trace_id: traceId };
      this.change({ ...item, state: "failed", error: { code, message, body, ...told } });
      return true;
    }
    const attempt = this.attempts.get(item.conversation_id) ?? 0;
    this.attempts.set(item.conversation_id, attempt + 1);
    const wait = Math.max(error.retryAfterMs ?? 0, retryDelayMs(attempt, this.context.random));
    this.timers.get(item.conversation_id)?.();
    this.timers.set(
      item.conversation_id,
      this.context.clock.after(wait, () => void this.send(item.conversation_id)),
    );
    return false;
  }

  // --- what this tab and the others know --------------------------------------------------

  private change(item: OutboxItem): void {
    this.keep(item);
    this.context.tabs.post({ kind: "outbox:put", item } satisfies OutboxNews);
    void this.context.storage.put(item);
    void this.send(item.conversation_id);
  }

  private hear(news: OutboxNews): void {
    if (news.kind === "outbox:put" && news.item.user_id === this.context.userId) {
      this.keep(news.item);
      void this.send(news.item.conversation_id);
    } else if (news.kind === "outbox:remove") this.forget(news.clientMessageId);
    else if (news.kind === "outbox:accepted" && news.message.client_message_id) {
      this.accept(news.message.client_message_id, news.message);
    }
  }

  private accept(clientMessageId: string, message: MessageBody): void {
    this.acceptances.tell(message);
    this.drop(clientMessageId);
  }

  private keep(item: OutboxItem): void {
    this.items.set(item.client_message_id, item);
    this.newest = Math.max(this.newest, Date.parse(item.created_at));
    this.changed(item.conversation_id);
  }

  private drop(clientMessageId: string): void {
    this.forget(clientMessageId);
    void this.context.storage.remove(clientMessageId);
  }

  private forget(clientMessageId: string): void {
    const item = this.items.get(clientMessageId);
    this.items.delete(clientMessageId);
    if (item) this.changed(item.conversation_id);
  }

  private changed(conversationId: string): void {
    this.lists.delete(conversationId);
    this.changes.tell(conversationId);
  }
}
