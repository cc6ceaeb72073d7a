import type { MessageBody, OutboxItem } from "@pytake/realtime";

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
    }
  | { kind: "outgoing"; key: string; day: string; item: OutboxItem; isFirst: boolean };

function localDay(iso: string): string {
  return new Date(iso).toDateString();
}

function authorOf(message: MessageBody): string {
  return `${message.direction}:${message.sender_id ?? message.sender_type}`;
}

function isSameRun(a: MessageBody | undefined, b: MessageBody): boolean {
  return (
    a !== undefined &&
    authorOf(a) === authorOf(b) &&
    Date.parse(b.created_at) - Date.parse(a.created_at) < RUN_MS &&
    localDay(a.created_at) === localDay(b.created_at)
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

/** What the thread shows, top to bottom: day lines, messages in runs, and what waits to be sent. */
export function timelineOf(
  messages: readonly MessageBody[],
  outgoing: readonly OutboxItem[],
  hasOlder: boolean,
): TimelineItem[] {
  const reactions = reactionsOf(messages);
  const known = new Set(messages.map((message) => message.whatsapp_message_id));
  const shown = messages.filter((message) => !isPlacedReaction(message, known));
  const items: TimelineItem[] = [];
  const first = shown[0];
  if (!hasOlder) items.push({ kind: "beginning", key: "beginning", day: first?.created_at ?? "" });
  shown.forEach((message, index) => {
    const before = shown[index - 1];
    const after = shown[index + 1];
    if (!before || localDay(before.created_at) !== localDay(message.created_at)) {
      const day = message.created_at;
      items.push({ kind: "day", key: `day:${localDay(day)}`, day });
    }
    items.push({
      kind: "message",
      key: message.client_message_id ?? message.id,
      day: message.created_at,
      message,
      isFirst: !isSameRun(before, message),
      isLast: !after || !isSameRun(message, after),
      reactions: [...(reactions.get(message.whatsapp_message_id ?? "")?.values() ?? [])],
    });
  });
  const taken = new Set(messages.map((message) => message.client_message_id));
  outgoing
    .filter((item) => !taken.has(item.client_message_id))
    .forEach((item, index) => {
      const key = item.client_message_id;
      items.push({ kind: "outgoing", key, day: item.created_at, item, isFirst: index === 0 });
    });
  return items;
}

function isPlacedReaction(message: MessageBody, known: ReadonlySet<string | null>): boolean {
  const target = message.content.reacts_to;
  return message.message_type === "reaction" && typeof target === "string" && known.has(target);
}
