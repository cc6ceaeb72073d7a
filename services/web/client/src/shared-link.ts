import type { Clock } from "./clock.js";
import { RealtimeError, unreachable } from "./errors.js";
import type { Link, LinkStatus, ServerEventListener, SessionStart } from "./link.js";
import { Subscribers, type Unsubscribe } from "./subscribers.js";
import type { Tabs } from "./tabs.js";
import type { WakeReason, WatchWake } from "./wake.js";

type Payload = { conversation_id?: string; conversations?: { conversation_id: string }[] };

/** What the tabs say to each other about the one connection. */
type LinkNews =
  | { kind: "link:hello"; tab: string }
  | { kind: "link:status"; status: LinkStatus }
  | { kind: "link:session"; gap: boolean; to?: string }
  | { kind: "link:event"; name: string; data: unknown }
  | { kind: "link:request"; tab: string; id: number; event: string; payload: unknown }
  | { kind: "link:answer"; tab: string; id: number; body?: unknown; error?: unknown }
  | { kind: "link:restart" }
  | { kind: "link:wake"; reason: WakeReason };

/**
 * One connection for all tabs of a browser.
 *
 * The leading tab owns it and repeats what the server says to the others; they send through
 * it. A conversation is left only when no tab has it open. When the leader closes, the next
 * tab opens a connection of its own and everybody joins again from its own cursor.
 */
export class SharedLink implements Link {
  private present: LinkStatus = { state: "stopped" };
  private isStarted = false;
  private cancelWake: Unsubscribe | undefined;
  private lastRequest = 0;
  private pending = new Map<
    number,
    { resolve: (b: unknown) => void; reject: (e: Error) => void }
  >();
  /** As leader: which tabs have a conversation open. */
  private joins = new Map<string, Set<string>>();
  private knownTabs = new Set<string>();

  private readonly statusListeners = new Subscribers<[LinkStatus]>();
  private readonly eventListeners = new Subscribers<[string, unknown]>();
  private readonly sessionListeners = new Subscribers<[SessionStart]>();

  constructor(
    private readonly own: Link,
    private readonly tabs: Tabs,
    private readonly clock: Clock,
    private readonly watchWake: WatchWake,
  ) {
    own.onStatus((status) => this.lead({ kind: "link:status", status }));
    own.onEvent((name, data) => this.lead({ kind: "link:event", name, data }));
    own.onSession(({ gap }) => this.lead({ kind: "link:session", gap }));
    tabs.onMessage((message) => this.hear(message as LinkNews));
  }

  get status(): LinkStatus {
    return this.present;
  }

  onStatus = (listener: (status: LinkStatus) => void) => this.statusListeners.add(listener);
  onEvent = (listener: ServerEventListener) => this.eventListeners.add(listener);
  onSession = (listener: (session: SessionStart) => void) => this.sessionListeners.add(listener);

  start(): void {
    if (this.isStarted) {
      this.restart();
      return;
    }
    this.isStarted = true;
    this.cancelWake = this.watchWake(this.clock, (reason) => this.noticed(reason));
    this.take({ state: "connecting" });
    this.tabs.onLead(() => {
      for (const waiting of this.pending.values()) waiting.reject(unreachable("the leader left"));
      this.pending.clear();
      if (this.isStarted) this.own.start();
    });
    if (!this.tabs.isLeader) this.tabs.post({ kind: "link:hello", tab: this.tabs.id });
  }

  /** After `stopped` by a code: come back, wherever the connection lives. */
  private restart(): void {
    if (this.tabs.isLeader) this.own.start();
    else this.tabs.post({ kind: "link:restart" });
  }

  stop(): void {
    this.isStarted = false;
    this.cancelWake?.();
    if (this.tabs.isLeader) this.own.stop();
    this.take({ state: "stopped" });
  }

  /** The leader's page may be hidden or throttled: it is told what the others notice. */
  wake(reason: WakeReason): void {
    if (this.tabs.isLeader) this.own.wake(reason);
    else this.tabs.post({ kind: "link:wake", reason });
  }

  settled(): void {
    if (this.tabs.isLeader) this.own.settled();
  }

  async request(event: string, payload: unknown, timeoutMs = 10_000) {
    if (this.tabs.isLeader) return this.perform(this.tabs.id, event, payload, timeoutMs);
    if (this.present.state !== "up") throw unreachable(new Error("not connected"));
    return this.ask(event, payload, timeoutMs);
  }

  // --- as a follower -----------------------------------------------------------------------

  private noticed(reason: WakeReason): void {
    // Timers of a hidden page are late without any sleep; the connection of a leader has an eye of its own.
    const isHidden = typeof document !== "undefined" && document.visibilityState === "hidden";
    if (!isHidden && !this.tabs.isLeader) this.wake(reason);
  }

  private ask(event: string, payload: unknown, timeoutMs: number) {
    this.lastRequest += 1;
    const id = this.lastRequest;
    return new Promise<Record<string, unknown>>((resolve, reject) => {
      const cancel = this.clock.after(timeoutMs + 1_000, () => {
        this.pending.delete(id);
        reject(unreachable(new Error(`no answer to ${event}`)));
      });
      this.pending.set(id, {
        resolve: (body) => {
          cancel();
          resolve(body as Record<string, unknown>);
        },
        reject: (error) => {
          cancel();
          reject(error);
        },
      });
      this.tabs.post({ kind: "link:request", tab: this.tabs.id, id, event, payload });
    });
  }

  private answered(news: Extract<LinkNews, { kind: "link:answer" }>): void {
    const waiting = this.pending.get(news.id);
    if (news.tab !== this.tabs.id || !waiting) return;
    this.pending.delete(news.id);
    if (news.error !== undefined) waiting.reject(RealtimeError.from(news.error));
    else waiting.resolve(news.body);
  }

  // --- as the leader -----------------------------------------------------------------------

  private lead(news: LinkNews): void {
    if (!this.tabs.isLeader) return;
    this.tabs.post(news);
    this.apply(news);
  }

  private async serve(news: Extract<LinkNews, { kind: "link:request" }>): Promise<void> {
    const { tab, id, event, payload } = news;
    this.know(tab);
    const answer = await this.perform(tab, event, payload, 10_000).then(
      (body) => ({ body }),
      (error: RealtimeError) => ({
        error: {
          ...error.body,
          code: error.code,
          message: error.message,
          retryable: error.retryable,
        },
      }),
    );
    this.tabs.post({ kind: "link:answer", tab, id, ...answer });
  }

  private async perform(tab: string, event: string, payload: unknown, timeoutMs: number) {
    const { conversation_id, conversations } = payload as Payload;
    if (event === "join_conversation" && conversation_id) this.joinedBy(tab, conversation_id);
    if (event === "join_conversations") {
      for (const each of conversations ?? []) this.joinedBy(tab, each.conversation_id);
    }
    if (event === "leave_conversation" && conversation_id) {
      if (!this.leftBy(tab, conversation_id)) return { ok: true };
    }
    return this.own.request(event, payload, timeoutMs);
  }

  private joinedBy(tab: string, conversationId: string): void {
    const readers = this.joins.get(conversationId) ?? new Set();
    this.joins.set(conversationId, readers.add(tab));
  }

  /** Returns whether nobody is left. */
  private leftBy(tab: string, conversationId: string): boolean {
    const readers = this.joins.get(conversationId);
    readers?.delete(tab);
    if (readers && readers.size > 0) return false;
    this.joins.delete(conversationId);
    return true;
  }

  private know(tab: string): void {
    if (this.knownTabs.has(tab)) return;
    this.knownTabs.add(tab);
    this.tabs.onGone(tab, () => this.forget(tab));
  }

  private forget(tab: string): void {
    this.knownTabs.delete(tab);
    for (const [conversation_id, readers] of this.joins) {
      if (readers.has(tab) && this.leftBy(tab, conversation_id)) {
        this.own.request("leave_conversation", { conversation_id }).catch(() => {});
      }
    }
  }

  private welcome(tab: string): void {
    this.know(tab);
    this.tabs.post({ kind: "link:status", status: this.present });
    if (this.present.state === "up") {
      this.tabs.post({ kind: "link:session", gap: false, to: tab });
    }
  }

  // --- both --------------------------------------------------------------------------------

  private hear(news: LinkNews): void {
    if (this.tabs.isLeader) {
      if (news.kind === "link:hello") this.welcome(news.tab);
      else if (news.kind === "link:request") void this.serve(news);
      else if (news.kind === "link:restart") this.own.start();
      else if (news.kind === "link:wake") this.own.wake(news.reason);
    } else if (news.kind === "link:answer") this.answered(news);
    else if (this.isStarted) this.apply(news);
  }

  private apply(news: LinkNews): void {
    if (news.kind === "link:status") this.take(news.status);
    else if (news.kind === "link:event") this.eventListeners.tell(news.name, news.data);
    else if (news.kind === "link:session" && (news.to ?? this.tabs.id) === this.tabs.id) {
      this.sessionListeners.tell({ gap: news.gap });
    }
  }

  private take(status: LinkStatus): void {
    this.present = status;
    this.statusListeners.tell(status);
  }
}
