import type {
  ConversationUpdated,
  MessageBody,
  MessageStatus,
  MessageStatusBatch,
  MessageStatusChanged,
  NoteBody,
  NoteRemoved,
} from "./contract.gen.js";

/** A delivery outranks a failure: it proves that the message arrived after all. */
const RANK: Readonly<Record<MessageStatus, number>> = {
  pending: 0,
  sent: 1,
  failed: 2,
  delivered: 3,
  read: 4,
};

const MAX_HELD = 256;
const MAX_EARLY = 1_000;

export const DURABLE_EVENTS = [
  "message:new",
  "message:status",
  "message:status_batch",
  "conversation:updated",
  "note:new",
  "note:removed",
] as const;

export type DurableEvent =
  | { name: "message:new"; data: MessageBody }
  | { name: "message:status"; data: MessageStatusChanged }
  | { name: "message:status_batch"; data: MessageStatusBatch }
  | { name: "conversation:updated"; data: ConversationUpdated }
  | { name: "note:new"; data: NoteBody }
  | { name: "note:removed"; data: NoteRemoved };

export type Applied = "applied" | "known" | "held";

/** Return a durable event, or undefined for every other. */
export function durableEvent(name: string, data: unknown): DurableEvent | undefined {
  return (DURABLE_EVENTS as readonly string[]).includes(name)
    ? ({ name, data } as DurableEvent)
    : undefined;
}

function span(event: DurableEvent): [first: number, last: number] {
  return event.name === "message:status_batch"
    ? [event.data.first_seq, event.data.last_seq]
    : [event.data.seq, event.data.seq];
}

/**
 * What happened in one conversation: every message once, in `seq` order.
 *
 * Events are applied in `seq` order without holes; one that comes too early is held until its
 * predecessors are there. Pages of older messages may be merged at any time, also after events
 * that concern them.
 */
export class ConversationLog {
  /** Every event up to here has been applied. */
  cursor = 0;
  epoch: string | undefined;
  onUpdated: (update: ConversationUpdated) => void = () => {};
  onMessage: (message: MessageBody) => void = () => {};

  private byId = new Map<string, MessageBody>();
  /** In `seq` order, changed in place. */
  private ordered: MessageBody[] = [];
  /** The copy of it that was given away. */
  private shown: readonly MessageBody[] | undefined;
  private noteById = new Map<string, NoteBody>();
  private removedNotes = new Set<string>();
  private orderedNotes: readonly NoteBody[] | undefined;
  private held = new Map<number, DurableEvent>();
  /** Statuses of messages that are on no loaded page yet. */
  private early = new Map<string, MessageStatusChanged>();

  /** Begin anew from a state that includes every event up to `cursor`. */
  reset(cursor: number, epoch: string | undefined): void {
    this.cursor = cursor;
    this.epoch = epoch;
    this.byId.clear();
    this.noteById.clear();
    this.orderedNotes = undefined;
    this.held.clear();
    this.early.clear();
    this.ordered = [];
    this.shown = undefined;
  }

  get messages(): readonly MessageBody[] {
    this.shown ??= this.ordered.slice();
    return this.shown;
  }

  /** What colleagues noted, in `seq` order; never part of what the customer gets. */
  get notes(): readonly NoteBody[] {
    this.orderedNotes ??= [...this.noteById.values()].sort((a, b) => a.seq - b.seq);
    return this.orderedNotes;
  }

  get firstSeq(): number | undefined {
    return this.ordered[0]?.seq;
  }

  /** The newest `seq` that is known to exist, also beyond a hole. */
  get newestSeen(): number {
    let newest = this.cursor;
    for (const event of this.held.values()) newest = Math.max(newest, span(event)[1]);
    return newest;
  }

  get hasHole(): boolean {
    return this.held.size > 0;
  }

  has(messageId: string): boolean {
    return this.byId.has(messageId);
  }

  /** Take messages of a page, or the answer to a send; they never undo newer events. */
  merge(messages: readonly MessageBody[]): void {
    for (const message of messages) this.put(message);
  }

  /** Take notes of a page; one that was taken back meanwhile stays away. */
  mergeNotes(notes: readonly NoteBody[]): void {
    for (const note of notes) {
      if (note.text && !this.removedNotes.has(note.id)) this.noteById.set(note.id, note);
    }
    this.orderedNotes = undefined;
  }

  apply(event: DurableEvent): Applied {
    const [first, last] = span(event);
    if (last <= this.cursor) return "known";
    if (first > this.cursor + 1) {
      if (this.held.size >= MAX_HELD) this.held.clear();
      this.held.set(last, event);
      return "held";
    }
    this.take(event);
    this.cursor = last;
    this.takeHeld();
    return "applied";
  }

  /** An event of a later version of the contract, that says nothing to us, takes its number. */
  pass(seq: number): void {
    if (seq !== this.cursor + 1) return;
    this.cursor = seq;
    this.takeHeld();
  }

  private takeHeld(): void {
    const waiting = [...this.held.values()].sort((a, b) => span(a)[0] - span(b)[0]);
    for (const event of waiting) {
      const [first, last] = span(event);
      if (first > this.cursor + 1) return;
      this.held.delete(last);
      if (last <= this.cursor) continue;
      this.take(event);
      this.cursor = last;
    }
  }

  private take(event: DurableEvent): void {
    switch (event.name) {
      case "message:new":
        this.put(event.data);
        this.onMessage(event.data);
        break;
      case "message:status":
        this.advance(event.data);
        break;
      case "message:status_batch":
        for (const update of event.data.updates) this.advance(update);
        break;
      case "conversation:updated":
        this.onUpdated(event.data);
        break;
      case "note:new":
        this.mergeNotes([event.data]);
        break;
      case "note:removed":
        this.removedNotes.add(event.data.id);
        this.noteById.delete(event.data.id);
        this.orderedNotes = undefined;
        break;
    }
  }

  private put(message: MessageBody): void {
    const known = this.byId.get(message.id);
    const isNewer = !known || RANK[message.status] >= RANK[known.status];
    this.place(isNewer ? message : { ...message, ...statusOf(known) });
    const early = this.early.get(message.id);
    if (!early) return;
    this.early.delete(message.id);
    this.advance(early);
  }

  private advance(update: MessageStatusChanged): void {
    const message = this.byId.get(update.message_id);
    if (!message) {
      if (this.early.size < MAX_EARLY) this.early.set(update.message_id, update);
      return;
    }
    const moves = RANK[update.status] > RANK[message.status];
    const tells = update.status === message.status && update.error !== undefined;
    if (!moves && !tells) return;
    const error = update.error ?? (update.status === "failed" ? message.error : null);
    this.place({ ...message, status: update.status, error: error ?? null });
  }

  private place(message: MessageBody): void {
    const place = this.placeOf(message.seq);
    const isKnown = this.ordered[place]?.id === message.id;
    this.byId.set(message.id, message);
    this.ordered.splice(place, isKnown ? 1 : 0, message);
    this.shown = undefined;
  }

  /** Where the first message stands that is not before `seq`. */
  private placeOf(seq: number): number {
    let [first, end] = [0, this.ordered.length];
    while (first < end) {
      const middle = (first + end) >> 1;
      if ((this.ordered[middle]?.seq ?? seq) < seq) first = middle + 1;
      else end = middle;
    }
    return first;
  }
}

function statusOf(message: MessageBody | undefined): Partial<MessageBody> {
  return message ? { status: message.status, error: message.error ?? null } : {};
}
