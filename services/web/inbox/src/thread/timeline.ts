import type { MessageBody, NoteBody, OutboxItem } from "@pytake/realtime";

const RUN_MS = 5 * 60_000;

export type TimelineItem =
  | { kind: "beginning"; key: string; day: string }
  | { kind: "day"; key: string; day: string }
  | {
      kind: "message";
      key: string;
      day: string;
      message: MessageBody;
      /** The first of a run of one author within five minutes: it shows the head. */
      isFirst: boolean;
      isLast: boolean;
      reactions: readonly string[];
      /** It failed and was sent again, which can be done once. */
      wasRetried: boolean;
    }
  | { kind: "note"; key: string; day: string; note: NoteBody }
  | { kind: "outgoing"; key: string; day: string; item: OutboxItem; isFirst: boolean };

type Entry = MessageBody | NoteBody;

function isNote(entry: Entry): entry is NoteBody {
  return "author_id" in entry;
}

interface Moment {
  at: number;
  day: string;
}

const moments = new WeakMap<Entry, Moment>();

/** When it was written. Reading a date costs more than all else here, and entries never change. */
function momentOf(entry: Entry): Moment {
  const known = moments.get(entry);
  if (known) return known;
  const date = new Date(entry.created_at);
  const moment = { at: date.getTime(), day: date.toDateString() };
  moments.set(entry, moment);
  return moment;
}

function authorOf(message: MessageBody): string {
  return `${message.direction}:${message.sender_id ?? message.sender_type}`;
}

/** A note in between ends a run: what follows it begins with a head again. */
function isSameRun(a: Entry | undefined, b: Entry | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    !isNote(a) &&
    !isNote(b) &&
    authorOf(a) === authorOf(b) &&
    momentOf(b).at - momentOf(a).at < RUN_MS &&
    momentOf(a).day === momentOf(b).day
  );
}

/** The newest reaction of each author to each message, by what the provider calls the message. */
function reactionsOf(messages: readonly MessageBody[]): Map<string, Map<string, string>> {
  const found = new Map<string, Map<string, string>>();
  for (const message of messages) {
    const target = message.content.reacts_to;
    if (message.message_type !== "reaction" || typeof target !== "string") continue;
    const byAuthor = found.get(target) ?? new Map<string, string>();
    const { emoji } = message.content;
    if (typeof emoji === "string" && emoji) byAuthor.set(authorOf(message), emoji);
    else byAuthor.delete(authorOf(message));
    found.set(target, byAuthor);
  }
  return found;
}

/** The ids of the messages that were sent again, also of those that wait for it. */
function retriedOf(
  messages: readonly MessageBody[],
  outgoing: readonly OutboxItem[],
): ReadonlySet<string | null | undefined> {
  return new Set([...messages, ...outgoing].map(({ retry_of }) => retry_of));
}

/** Messages and notes in one row, both of which come in `seq` order. */
function withNotes(messages: readonly MessageBody[], notes: readonly NoteBody[]): Entry[] {
  const merged: Entry[] = [];
  let next = 0;
  for (const message of messages) {
    for (let note = notes[next]; note && note.seq < message.seq; note = notes[next]) {
      merged.push(note);
      next += 1;
    }
    merged.push(message);
  }
  return [...merged, ...notes.slice(next)];
}

/** What the thread shows, top to bottom: day lines, messages in runs, notes, and what waits. */
export function timelineOf(
  messages: readonly MessageBody[],
  outgoing: readonly OutboxItem[],
  hasOlder: boolean,
  notes: readonly NoteBody[] = [],
): TimelineItem[] {
  const reactions = reactionsOf(messages);
  const retried = retriedOf(messages, outgoing);
  const known = new Set(messages.map((message) => message.whatsapp_message_id));
  const from = hasOlder ? (messages[0]?.seq ?? 0) : 0;
  const shown = withNotes(
    messages.filter((message) => !isPlacedReaction(message, known)),
    notes.filter((note) => note.seq >= from),
  );
  const items: TimelineItem[] = [];
  const first = shown[0];
  const days = new Set<string>();
  if (!hasOlder) items.push({ kind: "beginning", key: "beginning", day: first?.created_at ?? "" });
  shown.forEach((entry, index) => {
    const before = shown[index - 1];
    const day = entry.created_at;
    const date = momentOf(entry).day;
    if (!before || momentOf(before).day !== date) {
      // Old messages of the phone app stand where they came in: a day may begin twice.
      items.push({ kind: "day", key: days.has(date) ? `day:${entry.id}` : `day:${date}`, day });
      days.add(date);
    }
    if (isNote(entry)) items.push({ kind: "note", key: entry.id, day, note: entry });
    else {
      items.push({
        kind: "message",
        key: keyOf(entry.sender_id, entry.client_message_id) ?? entry.id,
        day,
        message: entry,
        isFirst: !isSameRun(before, entry),
        isLast: !isSameRun(entry, shown[index + 1]),
        reactions: [...(reactions.get(entry.whatsapp_message_id ?? "")?.values() ?? [])],
        wasRetried: retried.has(entry.id),
      });
    }
  });
  const taken = new Set(messages.map((m) => keyOf(m.sender_id, m.client_message_id)));
  outgoing
    .filter((item) => !taken.has(keyOf(item.user_id, item.client_message_id)))
    .forEach((item, index) => {
      const key = keyOf(item.user_id, item.client_message_id) ?? "";
      items.push({ kind: "outgoing", key, day: item.created_at, item, isFirst: index === 0 });
    });
  return items;
}

/** The same before and after the server took a message; a sender gives each id once. */
function keyOf(senderId: string | null, clientMessageId: string | null): string | undefined {
  return clientMessageId === null ? undefined : `${senderId}/${clientMessageId}`;
}

function isPlacedReaction(message: MessageBody, known: ReadonlySet<string | null>): boolean {
  const target = message.content.reacts_to;
  return message.message_type === "reaction" && typeof target === "string" && known.has(target);
}
