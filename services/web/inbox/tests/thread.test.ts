import type { MessageBody } from "@pytake/realtime";
import { expect, test } from "vitest";
import { timelineOf } from "../src/thread/timeline";
import { typingText } from "../src/thread/typing-text";
import { pt } from "../src/words/pt";

let seq = 0;

function message(minute: number, more: Partial<MessageBody> = {}): MessageBody {
  seq += 1;
  return {
    id: `m${seq}`,
    conversation_id: "c",
    seq,
    direction: "inbound",
    sender_type: "contact",
    sender_id: null,
    message_type: "text",
    content: { text: "oi" },
    status: "delivered",
    whatsapp_message_id: `wamid.${seq}`,
    client_message_id: null,
    created_at: new Date(2026, 10, 22, 9, minute).toISOString(),
    sent_at: null,
    ...more,
  };
}

test("messages of one author within five minutes share one head", () => {
  const items = timelineOf([message(0), message(4), message(12)], [], true);

  const heads = items.flatMap((item) => (item.kind === "message" ? [item.isFirst] : []));
  expect(heads).toEqual([true, false, true]);
});

test("each day begins with its line, and the first page with the beginning", () => {
  const yesterday = new Date(2026, 10, 21, 9).toISOString();
  const items = timelineOf([message(0, { created_at: yesterday }), message(1)], [], false);

  expect(items.map((item) => item.kind)).toEqual(["beginning", "day", "message", "day", "message"]);
});

test("a reaction stands at its message, the newest of each author, and can be taken back", () => {
  const target = message(0);
  const react = (emoji: string | null) =>
    message(1, {
      message_type: "reaction",
      content: { reacts_to: target.whatsapp_message_id, emoji },
    });

  const reacted = timelineOf([target, react("👍"), react("❤️")], [], true);
  const removed = timelineOf([target, react("👍"), react(null)], [], true);

  expect(reacted.at(-1)).toMatchObject({ kind: "message", reactions: ["❤️"] });
  expect(removed.at(-1)).toMatchObject({ kind: "message", reactions: [] });
});

test("a message that waits is shown below, and only until it has been taken", () => {
  const item = {
    client_message_id: "mine",
    user_id: "ana",
    conversation_id: "c",
    message_type: "text" as const,
    content: { text: "olá" },
    created_at: new Date(2026, 10, 22, 9, 5).toISOString(),
    state: "waiting" as const,
  };
  expect(timelineOf([message(0)], [item], true).at(-1)?.kind).toBe("outgoing");

  const taken = message(5, { direction: "outbound", client_message_id: "mine" });

  expect(
    timelineOf([message(0), taken], [item], true).filter((i) => i.kind === "outgoing"),
  ).toEqual([]);
});

test.each([
  [[], ""],
  [["Ana"], "Ana está digitando…"],
  [[undefined], "Alguém está digitando…"],
  [["Ana", "Bruno"], "2 pessoas estão digitando…"],
])("who types: %j", (names, text) => {
  expect(typingText(names, pt)).toBe(text);
});
