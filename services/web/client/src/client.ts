import { type Clock, systemClock } from "./clock.js";
import { Connection, type ConnectionOptions } from "./connection.js";
import type {
  ConversationBody,
  JoinConversation,
  JoinedMany,
  MessageBody,
} from "./contract.gen.js";
import { Conversation } from "./conversation.js";
import { RealtimeError } from "./errors.js";
import { Inbox } from "./inbox.js";
import type { Link, LinkStatus } from "./link.js";
import { type Draft, Outbox, type OutboxItem } from "./outbox.js";
import { BrowserOutboxStorage, type OutboxStorage } from "./outbox-storage.js";
import { randomId } from "./random-id.js";
import { Receipts } from "./receipts.js";
import { type GetToken, Rest } from "./rest.js";
import { SharedLink } from "./shared-link.js";
import { Store } from "./store.js";
import { Subscribers, type Unsubscribe } from "./subscribers.js";
import { SoloTab, type Tabs, tabsOf } from "./tabs.js";
import { VERSION } from "./version.js";
import { type WatchWake, watchWake } from "./wake.js";
import { type OpenSocket, openSocketIo } from "./wire.js";

const FALLBACK_EVERY_MS = 30_000;
const JOINS_AT_ONCE = 200;
/** A conversation that is left stays joined for this long, so that looking back costs nothing. */
const LINGER_MS = 5_000;

/** The one documented state. `online` means complete: nothing is known to be missing. */
export type ConnectionState = "connecting" | "online" | "catching-up" | "offline" | "stopped";

export interface ConnectionSnapshot {
  readonly state: ConnectionState;
  /** Events that are known to be missing, while catching up. */
  readonly behind: number;
  /** Messages of this user that wait for the server. */
  readonly waiting: number;
  /** Why it is stopped or offline: a code of the contract, or undefined. */
  readonly code: string | undefined;
  readonly retryAt: number | undefined;
  readonly transport: string | undefined;
  /** No socket is to be had: lists are refreshed by REST every 30 s. */
  readonly isPolling: boolean;
}

export interface RealtimeOptions {
  /** Where the API and the gateway live; the page's own origin when left out. */
  url?: string;
  path?: string;
  userId: string;
  getToken: GetToken;
  transports?: ("websocket" | "polling")[];
  withCredentials?: boolean;
  handshakeTimeoutMs?: number;
  /** Print the lines that start with `[WebSocket]`. */
  debug?: boolean;
  client?: { name: string; version: string };
  /** One connection for all tabs of this browser; on where the browser can. */
  shareTabs?: boolean;
  // What tests hold in their hands.
  clock?: Clock;
  random?: () => number;
  fetch?: typeof fetch;
  openSocket?: OpenSocket;
  watchWake?: WatchWake;
  storage?: OutboxStorage;
  tabs?: Tabs;
  newId?: () => string;
}

interface Entry {
  conversation: Conversation;
  users: number;
  isOpen: boolean;
  cancelClose?: Unsubscribe | undefined;
}

/**
 * PyTake Realtime for one signed-in user.
 *
 * Keeps one connection, the list of conversations, every open conversation and the messages
 * that wait to be sent. Nothing of it can be got wrong by calling in another order: what is
 * opened is complete and stays so until it is closed.
 */
export class RealtimeClient extends Store<ConnectionSnapshot> {
  readonly rest: Rest;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly link: Link;
  readonly userId: string;
  private readonly tabs: Tabs;
  private readonly random: () => number;
  private readonly entries = new Map<string, Entry>();
  private readonly receipts: Receipts;
  private isRejoining = false;
  private isPolling = false;
  private cancelPolling: Unsubscribe | undefined;
  private readonly events = new Subscribers<[string, unknown]>();
  private readonly messages = new Subscribers<[MessageBody]>();
  private readonly rowChanges = new Subscribers<[ConversationBody, ConversationBody | undefined]>();
  private readonly problems = new Subscribers<[string, string]>();

  constructor(options: RealtimeOptions) {
    super(options.clock ?? systemClock);
    this.userId = options.userId;
    this.random = options.random ?? Math.random;
    this.rest = new Rest({
      url: options.url ?? "",
      getToken: options.getToken,
      clock: this.clock,
      ...(options.fetch ? { fetch: options.fetch } : {}),
    });
    this.tabs =
      options.tabs ??
      (options.shareTabs === false ? new SoloTab() : tabsOf(`pytake:${options.userId}`));
    const own = new Connection(connectionOptions(options, this.clock, this.random));
    this.link = new SharedLink(own, this.tabs, this.clock, options.watchWake ?? watchWake);
    this.inbox = new Inbox({
      userId: options.userId,
      rest: this.rest,
      clock: this.clock,
      onRow: (row, before) => this.rowChanged(row, before),
    });
    this.outbox = new Outbox({
      userId: options.userId,
      rest: this.rest,
      clock: this.clock,
      random: this.random,
      storage: options.storage ?? new BrowserOutboxStorage(),
      tabs: this.tabs,
      newId: options.newId ?? randomId,
    });
    this.receipts = new Receipts(this.clock, this.random, (payload) =>
      this.link.request("message:receipt", payload),
    );
    this.wire();
  }

  // --- life ------------------------------------------------------------------------------

  start(): void {
    void this.outbox.load();
    this.link.start();
  }

  /** End for good; a new client is made for the next user. */
  stop(): void {
    this.link.stop();
    this.outbox.close();
    this.inbox.close();
    this.tabs.close();
    this.cancelPolling?.();
  }

  /** Open a conversation and keep it complete until the returned function is called. */
  openConversation(id: string): { conversation: Conversation; close: Unsubscribe } {
    const entry = this.entry(id);
    entry.users += 1;
    entry.cancelClose?.();
    entry.cancelClose = undefined;
    if (!entry.isOpen) {
      entry.isOpen = true;
      void entry.conversation.load();
    }
    let isHeld = true;
    const close = () => {
      if (isHeld) this.release(id, entry);
      isHeld = false;
    };
    return { conversation: entry.conversation, close };
  }

  /** The conversation as it would be opened, without opening it. */
  peek(id: string): Conversation {
    return this.entry(id).conversation;
  }

  send(conversationId: string, draft: Draft): OutboxItem {
    return this.outbox.add(conversationId, draft);
  }

  onEvent = (listener: (name: string, data: unknown) => void) => this.events.add(listener);
  /** Every new message of the open conversations, once. */
  onMessage = (listener: (message: MessageBody) => void) => this.messages.add(listener);
  onRow = (listener: (row: ConversationBody, before?: ConversationBody) => void) =>
    this.rowChanges.add(listener);
  /** `RESUME_LOOP`: a conversation could not be brought up to date twice in a row. */
  onProblem = (listener: (code: string, conversationId: string) => void) =>
    this.problems.add(listener);

  // --- wiring ----------------------------------------------------------------------------

  private wire(): void {
    this.link.onEvent((name, data) => this.receive(name, data));
    this.link.onStatus((status) => this.statusChanged(status));
    this.link.onSession(({ gap }) => void this.rejoin(gap));
    this.outbox.onAccepted((message) =>
      this.entries.get(message.conversation_id)?.conversation.accepted(message),
    );
    this.outbox.onChange((id) => {
      this.entries.get(id)?.conversation.outgoingChanged();
      this.changed();
    });
  }

  private entry(id: string): Entry {
    let entry = this.entries.get(id);
    if (!entry) {
      entry = { conversation: this.conversation(id), users: 0, isOpen: false };
      this.entries.set(id, entry);
    }
    return entry;
  }

  private get openOnes(): Conversation[] {
    return [...this.entries.values()].filter((e) => e.isOpen).map((e) => e.conversation);
  }

  private conversation(id: string): Conversation {
    const context = {
      link: this.link,
      rest: this.rest,
      clock: this.clock,
      random: this.random,
      outgoing: (conversationId: string) => this.outbox.of(conversationId),
      onProgress: () => this.progressed(),
      onNewMessage: (message: MessageBody) => this.messages.tell(message),
      onProblem: (code: string, conversationId: string) => this.problems.tell(code, conversationId),
    };
    return new Conversation(id, context, this.inbox.row(id));
  }

  private release(id: string, entry: Entry): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    entry.conversation.stopTyping();
    entry.cancelClose = this.clock.after(LINGER_MS, () => {
      this.entries.delete(id);
      entry.conversation.close();
      this.progressed();
    });
  }

  private receive(name: string, data: unknown): void {
    if (name === "message:new") this.receipts.shown(data as MessageBody);
    const id = (data as { conversation_id?: string } | undefined)?.conversation_id;
    if (id !== undefined) this.entries.get(id)?.conversation.receive(name, data);
    this.inbox.receive(name, data);
    this.events.tell(name, data);
  }

  private rowChanged(row: ConversationBody, before: ConversationBody | undefined): void {
    this.entries.get(row.id)?.conversation.headIs(row);
    this.rowChanges.tell(row, before);
  }

  private statusChanged(status: LinkStatus): void {
    if (status.state === "up") this.stopPolling();
    else {
      for (const conversation of this.openOnes) conversation.lostSession();
      if (status.state === "offline") this.startPolling();
    }
    this.changed();
  }

  /** A new session: join everything from its own cursor, in few events. */
  private async rejoin(gap: boolean): Promise<void> {
    this.isRejoining = true;
    this.changed();
    this.outbox.flush();
    if (gap) void this.inbox.reload();
    for (const conversation of this.openOnes) {
      conversation.newSession();
      conversation.loadIfFailed();
    }
    const points = this.openOnes
      .map((conversation) => conversation.resumePoint)
      .filter((point) => point !== undefined);
    for (let first = 0; first < points.length; first += JOINS_AT_ONCE) {
      await this.joinMany(points.slice(first, first + JOINS_AT_ONCE));
    }
    this.isRejoining = false;
    // Those that were opened meanwhile, or that a refusal of the whole left out.
    for (const conversation of this.openOnes) {
      if (conversation.needsJoin) void conversation.join();
    }
    this.progressed();
  }

  private async joinMany(conversations: JoinConversation[]): Promise<void> {
    const request = this.link.request("join_conversations", { conversations });
    const answer = (await request.catch(() => undefined)) as JoinedMany | undefined;
    answer?.conversations.forEach((each, index) => {
      const conversation = this.entries.get(
        conversations[index]?.conversation_id ?? "",
      )?.conversation;
      if ("error" in each) conversation?.joinRefused(RealtimeError.from(each.error));
      else conversation?.joined(each);
    });
  }

  private progressed(): void {
    this.changed();
    if (this.isRejoining || this.link.status.state !== "up") return;
    if (this.openOnes.every((conversation) => conversation.isComplete)) this.link.settled();
  }

  // --- without a socket ------------------------------------------------------------------

  private startPolling(): void {
    this.cancelPolling ??= this.clock.every(FALLBACK_EVERY_MS, () => {
      this.isPolling = true;
      void this.inbox.reload();
      for (const conversation of this.openOnes) {
        if (!conversation.loadIfFailed()) void conversation.heal();
      }
      this.changed();
    });
  }

  private stopPolling(): void {
    this.cancelPolling?.();
    this.cancelPolling = undefined;
    this.isPolling = false;
  }

  protected build(): ConnectionSnapshot {
    const { state, code, retryAt, transport } = this.link.status;
    const behind = this.openOnes.reduce((sum, conversation) => sum + conversation.behind, 0);
    const isLacking = this.isRejoining || this.openOnes.some((each) => each.isLacking);
    const whenUp: ConnectionState = isLacking ? "catching-up" : "online";
    return {
      state: state === "up" ? whenUp : state,
      behind,
      waiting: this.outbox.waiting,
      code,
      retryAt,
      transport,
      isPolling: this.isPolling,
    };
  }
}

function connectionOptions(
  options: RealtimeOptions,
  clock: Clock,
  random: () => number,
): ConnectionOptions {
  return {
    url: options.url ?? "",
    path: options.path ?? "/socket.io",
    transports: options.transports ?? ["websocket", "polling"],
    withCredentials: options.withCredentials ?? true,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? 20_000,
    getToken: options.getToken,
    openSocket: options.openSocket ?? openSocketIo,
    clock,
    random,
    watchWake: options.watchWake ?? watchWake,
    debug: options.debug ? (...line) => console.info("[WebSocket]", ...line) : () => {},
    client: options.client ?? { name: "@pytake/realtime", version: VERSION },
  };
}
