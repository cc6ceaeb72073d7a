import type { MessageBody, NoteBody } from "@pytake/realtime";
import { expect, test } from "vitest";
import { mentionBefore, mentionsIn } from "../src/thread/mentions";
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

test("a day that begins twice, since old messages came in between, has two lines of its own", () => {
  const yesterday = new Date(2026, 10, 21, 9).toISOString();
  const items = timelineOf(
    [message(0), message(0, { created_at: yesterday }), message(1)],
    [],
    true,
  );

  const lines = items.flatMap(({ kind, key }) => (kind === "day" ? [key] : []));
  expect(new Set(lines).size).toBe(3);
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

function note(minute: number): NoteBody {
  seq += 1;
  return {
    id: `n${seq}`,
    conversation_id: "c",
    seq,
    author_id: "ana",
    text: "prefere boleto",
    created_at: new Date(2026, 10, 22, 9, minute).toISOString(),
  };
}

test("a note stands where it was written, and what follows it begins with a head", () => {
  const [first, noted, second] = [message(0), note(1), message(2)];

  const items = timelineOf([first, second], [], true, [noted]);

  expect(items.map(({ kind }) => kind)).toEqual(["day", "message", "note", "message"]);
  const heads = items.flatMap((item) => (item.kind === "message" ? [item.isFirst] : []));
  expect(heads).toEqual([true, true]);
});

test("a note above the oldest page that is loaded waits for its page", () => {
  const [noted, first] = [note(0), message(1)];

  expect(timelineOf([first], [], true, [noted]).map(({ kind }) => kind)).not.toContain("note");
  expect(timelineOf([first], [], false, [noted]).map(({ kind }) => kind)).toContain("note");
});

test.each([
  ["@Ana Souza, confere?", ["", "@Ana Souza", ", confere?"]],
  ["para @Ana e @Bruno", ["para ", "@Ana", " e ", "@Bruno", ""]],
  ["@Anabela não é da equipe", ["@Anabela não é da equipe"]],
])("%s mentions its colleagues", (text, parts) => {
  expect(mentionsIn(text, ["Ana", "Ana Souza", "Bruno", "a.b*"])).toEqual(parts);
});

test.each([
  ["@", 1, { asked: "", start: 0 }],
  ["oi @bru", 7, { asked: "bru", start: 3 }],
  ["ana@casa", 8, undefined],
])("at the caret of %s a name is asked for, or none", (text, caret, asked) => {
  expect(mentionBefore(text, caret)).toEqual(asked);
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

  const own = { direction: "outbound", sender_id: "ana", client_message_id: "mine" } as const;

  expect(
    timelineOf([message(0), message(5, own)], [item], true).filter((i) => i.kind === "outgoing"),
  ).toEqual([]);
  // Another sender may have given the same id.
  const both = timelineOf([message(5, { ...own, sender_id: "bot" })], [item], true);
  expect(both.map(({ kind }) => kind)).toEqual(["day", "message", "outgoing"]);
  expect(new Set(both.map(({ key }) => key)).size).toBe(3);
});

test.each([
  [[], ""],
  [["Ana"], "Ana está digitando…"],
  [[undefined], "Alguém está digitando…"],
  [["Ana", "Bruno"], "2 pessoas estão digitando…"],
])("who types: %j", (names, text) => {
  expect(typingText(names, pt)).toBe(text);
});
