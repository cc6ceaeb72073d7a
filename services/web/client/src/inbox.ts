import type { Clock } from "./clock.js";
import type {
  ConversationBody,
  ConversationRead,
  InboxRemoved,
  InboxUpdated,
} from "./contract.gen.js";
import { RealtimeError } from "./errors.js";
import type { Rest } from "./rest.js";
import { pauseMs } from "./retry.js";
import { Store } from "./store.js";
import type { Unsubscribe } from "./subscribers.js";

const PAGE = 50;

/** The lists an inbox has: open ones of mine, of nobody, of everybody; and the closed ones. */
export type InboxView = "mine" | "unassigned" | "all" | "closed";

export const INBOX_VIEWS: readonly InboxView[] = ["mine", "unassigned", "all", "closed"];

const QUERY: Readonly<Record<InboxView, Record<string, string>>> = {
  mine: { status: "open", assigned_to: "me" },
  unassigned: { status: "open", assigned_to: "none" },
  all: { status: "open" },
  closed: { status: "closed" },
};

export type LoadState = "idle" | "loading" | "ready" | "failed";

export interface InboxList {
  readonly view: InboxView;
  readonly state: LoadState;
  readonly error: RealtimeError | undefined;
  /** Newest activity first. */
  readonly rows: readonly ConversationBody[];
  readonly hasMore: boolean;
}

export interface InboxSnapshot {
  readonly lists: Readonly<Record<InboxView, InboxList>>;
  /** Messages of customers that this user has not read, in open conversations of theirs or nobody's. */
  readonly unread: number;
}

interface ConversationPage {
  items: ConversationBody[];
  next_cursor: string | null;
}

interface Loaded {
  state: LoadState;
  cursor: string | null;
  error?: RealtimeError | undefined;
  /** When the next page may be asked for, after one that failed. */
  moreAt?: number;
}

/** When somebody last wrote; a new status or assignment moves no row. */
export function activityOf({ last_message, created_at }: ConversationBody): string {
  return last_message?.created_at ?? created_at;
}

export interface InboxContext {
  userId: string;
  rest: Rest;
  clock: Clock;
  /** A row changed, with what it was before: what notifications are made from. */
  onRow: (row: ConversationBody, before: ConversationBody | undefined) => void;
}

/**
 * The rows of the inbox, kept live.
 *
 * News of a row goes to everybody who sees it, so its `unread_count` is not this user's own;
 * that is counted here from `inbound_count` and how many of them this user has read.
 */
export class Inbox extends Store<InboxSnapshot> {
  private rows = new Map<string, ConversationBody>();
  /** How many messages of each customer this user has read, as the server said; it never falls. */
  private readInbound = new Map<string, number>();
  /** Up to which `seq` this user has read: rows that are older hold nothing unread. */
  private readSeq = new Map<string, number>();
  /** When each row went: news that is older than that comes too late. */
  private removedAt = new Map<string, number>();
  /** The lists of the last snapshot: one that did not change stays the same object. */
  private shown: Partial<Record<InboxView, InboxList>> = {};
  private reloadFailures = 0;
  private cancelReload: Unsubscribe | undefined;
  private loaded: Record<InboxView, Loaded> = {
    mine: { state: "idle", cursor: null },
    unassigned: { state: "idle", cursor: null },
    all: { state: "idle", cursor: null },
    closed: { state: "idle", cursor: null },
  };

  constructor(private readonly context: InboxContext) {
    super(context.clock);
  }

  row(conversationId: string): ConversationBody | undefined {
    return this.rows.get(conversationId);
  }

  /** Load the first page of a list if it has not been; called again after a failure. */
  async load(view: InboxView): Promise<void> {
    const list = this.loaded[view];
    if (list.state === "loading" || list.state === "ready") return;
    await this.fetchPage(view, null);
  }

  async loadMore(view: InboxView): Promise<void> {
    const { state, cursor, moreAt = 0 } = this.loaded[view];
    if (state !== "ready" || cursor === null || moreAt > this.clock.now()) return;
    await this.fetchPage(view, cursor);
  }

  /** News may have been lost: take the first page of every list that was loaded, until it is there. */
  async reload(): Promise<void> {
    this.cancelReload?.();
    const used = INBOX_VIEWS.filter((view) => this.loaded[view].state !== "idle");
    try {
      await Promise.all(used.map((view) => this.refetch(view)));
      this.reloadFailures = 0;
    } catch (cause) {
      const { retryable, retryAfterMs } = RealtimeError.of(cause);
      if (!retryable) return;
      this.reloadFailures += 1;
      const wait = pauseMs(this.reloadFailures, retryAfterMs);
      this.cancelReload?.();
      this.cancelReload = this.clock.after(wait, () => void this.reload());
    }
  }

  /** Nothing is asked for any more. */
  close(): void {
    this.cancelReload?.();
  }

  /** Conversations whose contact or texts match, or with a label; not part of the lists. */
  async search(
    wanted: { q: string } | { label: string },
    cursor?: string,
  ): Promise<ConversationPage> {
    const page = await this.context.rest.get<ConversationPage>("/conversations", {
      ...wanted,
      limit: PAGE,
      cursor,
    });
    return { ...page, items: page.items.map((row) => this.own(row)) };
  }

  /** A row that REST gave to this user, so with their own `unread_count`. */
  take(row: ConversationBody): void {
    this.rows.set(row.id, this.own(row));
    this.changed();
  }

  receive(name: string, data: unknown): void {
    if (name === "inbox:updated") this.updated((data as InboxUpdated).conversation);
    else if (name === "inbox:removed") this.removed(data as InboxRemoved);
    else if (name === "conversation:read") this.wasRead(data as ConversationRead);
    else if (name === "resync") void this.reload();
  }

  private updated(news: ConversationBody): void {
    const before = this.rows.get(news.id);
    if (before && before.last_seq > news.last_seq) return;
    if (this.isGone(news)) return;
    // Of a row that REST never gave to this user, what others have read is the best guess.
    const known = before ?? news;
    const read = this.readInbound.get(news.id) ?? known.inbound_count - known.unread_count;
    const row = this.counted(news, read);
    this.rows.set(news.id, row);
    this.changed();
    this.context.onRow(row, before);
  }

  private removed({ conversation_id, seq }: InboxRemoved): void {
    this.removedAt.set(conversation_id, seq);
    if (this.rows.delete(conversation_id)) this.changed();
  }

  private wasRead({ conversation_id, seq, unread_count }: ConversationRead): void {
    this.readSeq.set(conversation_id, Math.max(seq, this.readSeq.get(conversation_id) ?? 0));
    const row = this.rows.get(conversation_id);
    if (!row) return;
    this.rows.set(conversation_id, this.own({ ...row, unread_count }));
    this.changed();
  }

  private async refetch(view: InboxView): Promise<void> {
    const asked = new Map(this.rows);
    const page = await this.query(view, null);
    // Rows of this list that the first page should hold and does not are no longer in it.
    const oldest = page.items.at(-1)?.updated_at ?? "";
    const present = new Set(page.items.map((row) => row.id));
    for (const row of this.of(view)) {
      const isCovered = page.next_cursor === null || row.updated_at > oldest;
      const isOfBefore = asked.get(row.id)?.last_seq === row.last_seq;
      if (isCovered && isOfBefore && !present.has(row.id)) this.rows.delete(row.id);
    }
    this.loaded[view] = { state: "ready", cursor: page.next_cursor };
    for (const row of page.items) this.takeNewer(row);
    this.changed();
  }

  private async fetchPage(view: InboxView, cursor: string | null): Promise<void> {
    const list = this.loaded[view];
    this.loaded[view] = { ...list, state: "loading", error: undefined };
    this.changed();
    try {
      const page = await this.query(view, cursor);
      for (const row of page.items) this.takeNewer(row);
      this.loaded[view] = { state: "ready", cursor: page.next_cursor };
    } catch (cause) {
      const error = RealtimeError.of(cause);
      const moreAt = this.clock.now() + pauseMs(1, error.retryAfterMs);
      this.loaded[view] = { ...list, state: cursor === null ? "failed" : "ready", error, moreAt };
    }
    this.changed();
  }

  private query(view: InboxView, cursor: string | null): Promise<ConversationPage> {
    return this.context.rest.get<ConversationPage>("/conversations", {
      ...QUERY[view],
      limit: PAGE,
      cursor,
    });
  }

  private takeNewer(row: ConversationBody): void {
    const known = this.rows.get(row.id);
    if (this.isGone(row) || (known && known.last_seq > row.last_seq)) return;
    this.rows.set(row.id, this.own(row));
  }

  /** A row with this user's own `unread_count`, which an older answer does not raise again. */
  private own(row: ConversationBody): ConversationBody {
    return this.counted(row, this.hasRead(row.id, row.inbound_count - row.unread_count));
  }

  private counted(row: ConversationBody, read: number): ConversationBody {
    const isRead = row.last_seq <= (this.readSeq.get(row.id) ?? 0);
    const count = isRead ? this.hasRead(row.id, row.inbound_count) : read;
    return { ...row, unread_count: Math.max(0, row.inbound_count - count) };
  }

  private hasRead(id: string, count: number): number {
    const read = Math.max(count, this.readInbound.get(id) ?? 0);
    this.readInbound.set(id, read);
    return read;
  }

  /** It left the lists after what this row tells. */
  private isGone({ id, last_seq }: ConversationBody): boolean {
    return (this.removedAt.get(id) ?? -1) > last_seq;
  }

  private belongs(row: ConversationBody, view: InboxView): boolean {
    if (view === "closed") return row.status === "closed";
    if (row.status !== "open") return false;
    if (view === "mine") return row.assigned_to === this.context.userId;
    return view === "all" || row.assigned_to === null;
  }

  private of(view: InboxView): ConversationBody[] {
    return [...this.rows.values()]
      .filter((row) => this.belongs(row, view))
      .sort((a, b) => inOrder(activityOf(b), activityOf(a)));
  }

  private list(view: InboxView): InboxList {
    const { state, cursor, error } = this.loaded[view];
    const list = { view, state, error, rows: this.of(view), hasMore: cursor !== null };
    const shown = this.shown[view];
    if (shown && isSame(shown, list)) return shown;
    this.shown[view] = list;
    return list;
  }

  protected build(): InboxSnapshot {
    const lists = {
      mine: this.list("mine"),
      unassigned: this.list("unassigned"),
      all: this.list("all"),
      closed: this.list("closed"),
    };
    const own = [...lists.mine.rows, ...lists.unassigned.rows];
    return { lists, unread: own.reduce((sum, row) => sum + row.unread_count, 0) };
  }
}

/** Times of the contract sort as text; localeCompare costs a hundred times as much. */
function inOrder(a: string, b: string): number {
  return Number(a > b) - Number(a < b);
}

function isSame(a: InboxList, b: InboxList): boolean {
  return (
    a.state === b.state &&
    a.error === b.error &&
    a.hasMore === b.hasMore &&
    a.rows.length === b.rows.length &&
    a.rows.every((row, place) => row === b.rows[place])
  );
}
