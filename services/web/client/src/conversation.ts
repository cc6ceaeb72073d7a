import type { Clock } from "./clock.js";
import type {
  ConversationBody,
  ConversationUpdated,
  Joined,
  MessageBody,
  NoteBody,
  PresenceUpdate,
  UserTyping,
  Viewer,
} from "./contract.gen.js";
import type { ConversationPhase, ConversationSnapshot } from "./conversation-snapshot.js";
import { RealtimeError } from "./errors.js";
import type { Link } from "./link.js";
import { ConversationLog, type DurableEvent, durableEvent } from "./log.js";
import { MissingEvents } from "./missing-events.js";
import type { OutboxItem } from "./outbox.js";
import { Pages } from "./pages.js";
import { randomId } from "./random-id.js";
import { ReadPosition } from "./read-position.js";
import type { Rest } from "./rest.js";
import { pauseMs, retryDelayMs } from "./retry.js";
import { Store } from "./store.js";
import type { Unsubscribe } from "./subscribers.js";
import { OthersTyping, OwnTyping } from "./typing.js";

export interface ConversationContext {
  link: Link;
  rest: Rest;
  clock: Clock;
  random: () => number;
  outgoing: (conversationId: string) => readonly OutboxItem[];
  /** Told when being complete changes: a join, a hole, the end of a catch-up. */
  onProgress: () => void;
  onNewMessage: (message: MessageBody) => void;
  onProblem: (code: string, conversationId: string) => void;
}

/**
 * One conversation that a page has open: loaded by REST, kept complete by the socket.
 *
 * The first page and the join run at the same time. The join replays everything after the
 * `seq` that the list knew, so that the page may be newer than the cursor but never older.
 */
export class Conversation extends Store<ConversationSnapshot> {
  readonly id: string;
  private readonly path: string;
  private readonly context: ConversationContext;
  private readonly log = new ConversationLog();
  private readonly pages: Pages;
  private readonly missing: MissingEvents;
  private readonly others: OthersTyping;
  private readonly own: OwnTyping;
  private readonly reading: ReadPosition;
  private body: ConversationBody | undefined;
  private phase: ConversationPhase = "loading";
  private error: RealtimeError | undefined;
  private viewers: readonly Viewer[] = [];
  private viewerCount = 0;
  /** The head that the last join named: complete once the cursor is there. */
  private target = 0;
  /** The head that the list named. */
  private knownHead = 0;
  private isJoined = false;
  private isClosed = false;
  /** Grows with each load: the answers to the one before are dropped. */
  private loads = 0;
  private loadFailures = 0;
  private cancelAgain: Unsubscribe | undefined;
  private fruitless = 0;

  constructor(id: string, context: ConversationContext, known?: ConversationBody) {
    super(context.clock);
    this.id = id;
    this.path = `/conversations/${id}`;
    this.context = context;
    this.body = known;
    this.others = new OthersTyping(context.clock, () => this.changed());
    this.own = new OwnTyping(context.clock, (typing) =>
      this.send(typing ? "typing_start" : "typing_stop"),
    );
    this.reading = new ReadPosition(id, context);
    this.pages = new Pages(this.path, context, this.log, () => this.changed());
    this.missing = new MissingEvents(
      this.path,
      context,
      this.log,
      () => this.isShort,
      () => void this.heal(),
    );
    this.log.onUpdated = (update) => this.updated(update);
    this.log.onMessage = (message) => this.arrived(message);
  }

  // --- what a page asks for --------------------------------------------------------------

  /** Load and join. After `failed` it happens again by itself where that may help. */
  async load(): Promise<void> {
    this.loads += 1;
    const load = this.loads;
    this.cancelAgain?.();
    this.isJoined = false;
    this.become("loading");
    try {
      this.body ??= await this.context.rest.get<ConversationBody>(this.path);
      if (this.isClosed || load !== this.loads) return;
      this.log.reset(this.body.last_seq, this.body.epoch);
      const joining = this.join();
      if (!(await this.pages.begin()) || load !== this.loads) return;
      this.loadFailures = 0;
      this.become("ready");
      await joining;
    } catch (error) {
      if (load === this.loads) this.failed(RealtimeError.of(error));
    }
  }

  /** After a failure `isLoadingOlder` stays until the next try makes sense. Never rejects. */
  async loadOlder(): Promise<void> {
    if (this.phase === "ready") await this.pages.older();
  }

  /** Note something for colleagues; it is on their screens, and never on the customer's. */
  async addNote(text: string, id: string = randomId()): Promise<void> {
    const note = await this.context.rest.post<NoteBody>(`${this.path}/notes`, { text, id });
    this.log.mergeNotes([note]);
    this.changed();
  }

  /** Take a note back, as its author or as an admin; the event takes it off the screen. */
  async removeNote(id: string): Promise<void> {
    await this.context.rest.delete(`${this.path}/notes/${id}`);
  }

  key(): void {
    this.own.key();
  }

  stopTyping(): void {
    this.own.stop();
  }

  /** Everything up to `seq` was on the screen; told at most once a second. */
  markRead(seq = this.log.cursor): void {
    this.reading.moveTo(seq);
  }

  close(): void {
    this.isClosed = true;
    this.own.stop();
    this.missing.close();
    this.pages.close();
    this.cancelAgain?.();
    this.reading.close();
    this.silence();
    this.send("leave_conversation");
  }

  // --- what the client tells it ----------------------------------------------------------

  /** What a join in many needs: where to begin. Undefined while there is nothing to join. */
  get resumePoint(): { conversation_id: string; last_seq: number; epoch: string } | undefined {
    const { cursor, epoch } = this.log;
    const isThere = this.phase === "loading" || this.phase === "ready";
    if (this.isClosed || !isThere || epoch === undefined) return undefined;
    return { conversation_id: this.id, last_seq: cursor, epoch };
  }

  get behind(): number {
    return Math.max(0, this.target - this.log.cursor);
  }

  /** Nothing is missing, or nothing more is to be had. */
  get isComplete(): boolean {
    if (this.phase === "failed") return this.error?.retryable === false;
    return this.phase === "gone" || (this.isJoined && this.behind === 0);
  }

  /** On the screen stands less than should: not so while it is loaded, and says so itself. */
  get isLacking(): boolean {
    return this.behind > 0 || (this.phase !== "loading" && !this.isComplete);
  }

  get needsJoin(): boolean {
    return !this.isJoined && this.phase === "ready" && this.resumePoint !== undefined;
  }

  /** A session began, or there is none and this is the time to ask by REST. */
  loadIfFailed(): boolean {
    if (this.phase !== "failed") return false;
    void this.load();
    return true;
  }

  /** It has to be joined in this one, also where the session before still delivers. */
  newSession(): void {
    this.isJoined = false;
  }

  lostSession(): void {
    this.isJoined = false;
    this.others.clear();
  }

  receive(name: string, data: unknown): void {
    const event = durableEvent(name, data);
    if (event) this.apply(event);
    else if (name === "user_typing") {
      const { user_id, typing } = data as UserTyping;
      this.others.set(user_id, typing);
    } else if (name === "presence:update") {
      const { viewers, count } = data as PresenceUpdate;
      this.viewers = viewers;
      this.viewerCount = count;
      this.changed();
    } else if (name === "left_conversation" && (data as { reason?: string }).reason) this.gone();
  }

  /** The list knows a newer head than we do: something may have been lost on the way. */
  headIs(row: ConversationBody): void {
    const isHandedBack = this.phase === "gone";
    if (this.body || isHandedBack) this.body = row;
    this.changed();
    this.knownHead = row.last_seq;
    if (isHandedBack) void this.load();
    else if (this.isJoined && row.last_seq > this.log.cursor) this.missing.fetchLater();
  }

  accepted(message: MessageBody): void {
    this.own.sent();
    this.log.merge([message]);
    this.changed();
  }

  outgoingChanged(): void {
    this.changed();
  }

  // --- joining ---------------------------------------------------------------------------

  async join(): Promise<void> {
    const point = this.resumePoint;
    if (!point) return;
    try {
      const answer = await this.context.link.request("join_conversation", point);
      this.joined(answer as unknown as Joined);
    } catch (error) {
      this.joinRefused(RealtimeError.of(error));
    }
  }

  joinRefused(refused: RealtimeError): void {
    if (refused.code === "not_found" || refused.code === "forbidden") this.gone();
    this.tryAgain(refused, refused.retryAfterMs ?? retryDelayMs(2, this.context.random));
    this.context.onProgress();
  }

  /** Without a connection there is no use in it: the next session joins, or loads. */
  private tryAgain(refused: RealtimeError, wait: number): void {
    if (this.isClosed || !refused.retryable || this.context.link.status.state !== "up") return;
    this.cancelAgain?.();
    this.cancelAgain = this.clock.after(wait, () => {
      if (!this.loadIfFailed() && !this.isJoined) void this.join();
    });
  }

  /** The acknowledgement of this tab's own join; what was missed follows it. */
  joined(answer: Joined): void {
    if (this.isClosed) return;
    this.isJoined = true;
    this.reading.tellAgain();
    this.target = answer.seq;
    if (!answer.recovered || answer.epoch !== this.log.epoch) void this.reload();
    else {
      // The replay of one tab may end that of another on the same connection.
      if (this.behind > 0) this.missing.fetchLater();
      this.progressed();
    }
  }

  /** Replay was not possible: take the present state, as if opened for the first time. */
  private async reload(): Promise<void> {
    this.isJoined = false;
    this.body = undefined;
    this.fruitless += 1;
    if (this.fruitless > 2) {
      this.context.onProblem("RESUME_LOOP", this.id);
      const wait = retryDelayMs(this.fruitless, this.context.random);
      await new Promise<void>((resolve) => this.clock.after(wait, resolve));
    }
    if (!this.isClosed) await this.load();
  }

  // --- events ----------------------------------------------------------------------------

  private apply(event: DurableEvent): void {
    const result = this.log.apply(event);
    if (result === "known") return;
    if (result === "held") {
      this.target = Math.max(this.target, this.log.newestSeen);
      this.missing.fetchLater();
    }
    this.progressed();
  }

  private progressed(): void {
    if (this.behind === 0 && !this.log.hasHole) {
      this.fruitless = 0;
      this.missing.stop();
    }
    this.context.onProgress();
    this.changed();
  }

  private get isShort(): boolean {
    return this.log.hasHole || this.log.cursor < Math.max(this.target, this.knownHead);
  }

  /** Fetch by REST what the socket did not bring. */
  async heal(): Promise<void> {
    if (this.isClosed || this.phase !== "ready") return;
    try {
      const isMoved = await this.missing.fetch(() => this.progressed());
      if (this.log.hasHole && !isMoved) await this.reload();
      else if (this.log.hasHole) this.missing.fetchLater();
    } catch (error) {
      this.healFailed(RealtimeError.of(error));
    }
  }

  /** Without a connection the next session replays what is missing, and polling asks for it. */
  private healFailed({ code, retryAfterMs }: RealtimeError): void {
    if (code === "not_found") this.gone();
    else if (this.isShort && this.context.link.status.state === "up") {
      this.missing.fetchAfterFailure(retryAfterMs);
    }
  }

  private updated({ assigned_to, status, labels }: ConversationUpdated): void {
    if (!this.body) return;
    this.body = { ...this.body, assigned_to, status, labels: labels ?? this.body.labels };
  }

  private arrived(message: MessageBody): void {
    if (message.sender_id) this.others.set(message.sender_id, false);
    this.context.onNewMessage(message);
  }

  // --- small things ----------------------------------------------------------------------

  private send(event: string): void {
    this.context.link.request(event, { conversation_id: this.id }).catch(() => {});
  }

  private failed(error: RealtimeError): void {
    if (this.isClosed) return;
    if (error.code === "not_found") {
      this.gone();
      return;
    }
    this.error = error;
    this.become("failed");
    this.loadFailures += 1;
    this.tryAgain(error, pauseMs(this.loadFailures, error.retryAfterMs));
  }

  private gone(): void {
    this.isJoined = false;
    this.target = 0;
    this.others.clear();
    this.become("gone");
  }

  private become(phase: ConversationPhase): void {
    this.phase = phase;
    if (phase !== "failed") this.error = undefined;
    this.changed();
    this.context.onProgress();
  }

  protected build(): ConversationSnapshot {
    return {
      id: this.id,
      phase: this.phase,
      error: this.error,
      conversation: this.body,
      messages: this.log.messages,
      notes: this.log.notes,
      hasOlder: this.pages.hasOlder,
      isLoadingOlder: this.pages.isLoadingOlder,
      outgoing: this.context.outgoing(this.id),
      lastSeq: this.log.cursor,
      behind: this.behind,
      typing: this.others.users,
      viewers: this.viewers,
      viewerCount: this.viewerCount,
    };
  }
}
