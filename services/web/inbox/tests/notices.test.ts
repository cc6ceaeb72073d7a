// @vitest-environment happy-dom
import type { ConversationBody } from "@pytake/realtime";
import { expect, test } from "vitest";
import { answeredMeanwhile } from "../src/composer/use-stale-guard";
import { isQuiet, newsOf } from "../src/frame/notices";
import { preferences } from "../src/preferences";

function row(more: Partial<ConversationBody>): ConversationBody {
  const last_message = { direction: "inbound", seq: 7 } as ConversationBody["last_message"];
  return {
    assigned_to: null,
    inbound_count: 1,
    last_message,
    last_seq: 7,
    ...more,
  } as ConversationBody;
}

test.each([
  ["a first message to nobody", row({}), undefined, "message"],
  [
    "one more to me",
    row({ assigned_to: "me", inbound_count: 2 }),
    row({ assigned_to: "me" }),
    "message",
  ],
  ["handed to me", row({ assigned_to: "me" }), row({ assigned_to: "bruno" }), "assigned"],
  ["a message to a colleague", row({ assigned_to: "bruno", inbound_count: 2 }), row({}), undefined],
  ["a change of a row that was not known", row({ last_seq: 8 }), undefined, undefined],
  ["a message and a change at once", row({ inbound_count: 2, last_seq: 8 }), row({}), "message"],
  ["old messages of a customer", row({ inbound_count: 0 }), undefined, undefined],
  ["only a status", row({ assigned_to: "me" }), row({ assigned_to: "me" }), undefined],
])("%s", (_name, now, before, news) => {
  expect(newsOf(now, before, "me")).toBe(news);
});

test.each([
  ["20:00", "08:00", "23:00", true],
  ["20:00", "08:00", "07:59", true],
  ["20:00", "08:00", "08:00", false],
  ["12:00", "13:00", "12:30", true],
  ["12:00", "13:00", "14:00", false],
])("quiet from %s to %s: at %s %s", (quietFrom, quietTo, time, quiet) => {
  expect(isQuiet({ ...preferences(), quiet: true, quietFrom, quietTo }, time)).toBe(quiet);
  expect(isQuiet({ ...preferences(), quiet: false, quietFrom, quietTo }, time)).toBe(false);
});

test("only what colleagues wrote since the draft began holds a reply back", () => {
  const of = (seq: number, direction: string, sender_id: string | null, content = {}) =>
    ({ seq, direction, sender_id, content }) as Parameters<typeof answeredMeanwhile>[0][number];
  const messages = [
    of(1, "outbound", "bruno"),
    of(2, "inbound", null),
    of(3, "outbound", "me"),
    of(4, "outbound", "bruno"),
    of(5, "outbound", null, { from_history: true }),
  ];

  expect(answeredMeanwhile(messages, 1, "me").map(({ seq }) => seq)).toEqual([4]);
});
