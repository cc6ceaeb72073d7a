import { expect, test } from "vitest";
import type { MessageBody, MessageStatus } from "../src/contract.gen.js";
import { ConversationLog, type DurableEvent } from "../src/log.js";

function message(seq: number, status: MessageStatus = "pending"): MessageBody {
  return {
    id: `m${seq}`,
    conversation_id: "c",
    seq,
    direction: "outbound",
    sender_type: "agent",
    sender_id: "ana",
    message_type: "text",
    content: { text: String(seq) },
    status,
    whatsapp_message_id: null,
    client_message_id: null,
    created_at: "2026-11-22T12:00:00.000Z",
    sent_at: null,
  };
}

function report(seq: number, of: number, status: MessageStatus) {
  const timestamp = "2026-11-22T12:00:01.000Z";
  return { conversation_id: "c", message_id: `m${of}`, seq, status, timestamp };
}

function permutations<T>(items: T[]): T[][] {
  if (items.length < 2) return [items];
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  );
}

const EVENTS: DurableEvent[] = [
  { name: "message:new", data: message(1) },
  { name: "message:status", data: report(2, 1, "sent") },
  { name: "message:new", data: message(3) },
  {
    name: "message:status_batch",
    data: {
      conversation_id: "c",
      first_seq: 4,
      last_seq: 6,
      updates: [report(5, 3, "delivered"), report(6, 1, "read")],
    },
  },
];

test.each(permutations(EVENTS).map((order) => [order]))("any order ends the same", (order) => {
  const log = new ConversationLog();
  log.reset(0, "life-1");

  for (const event of [...order, ...order]) log.apply(event);

  expect(log.cursor).toBe(6);
  expect(log.messages.map(({ id, status }) => [id, status])).toEqual([
    ["m1", "read"],
    ["m3", "delivered"],
  ]);
});

test("a batch that overlaps what is known is applied from there on", () => {
  const log = new ConversationLog();
  log.reset(0, "life-1");
  log.apply({ name: "message:new", data: message(1) });
  log.apply({ name: "message:status", data: report(2, 1, "sent") });

  const updates = [report(2, 1, "sent"), report(3, 1, "delivered")];
  const batch = { conversation_id: "c", first_seq: 2, last_seq: 3, updates };

  expect(log.apply({ name: "message:status_batch", data: batch })).toBe("applied");
  expect(log.messages[0]?.status).toBe("delivered");
});

test("a page never undoes what an event has told", () => {
  const log = new ConversationLog();
  log.reset(0, "life-1");
  log.apply({ name: "message:new", data: message(1) });
  log.apply({ name: "message:status", data: report(2, 1, "read") });

  log.merge([message(1, "sent")]);

  expect(log.messages[0]?.status).toBe("read");
});

test("a delivery after a failure takes the failure back", () => {
  const log = new ConversationLog();
  log.reset(0, "life-1");
  log.apply({ name: "message:new", data: message(1) });
  const error = { code: "131026" };
  log.apply({ name: "message:status", data: { ...report(2, 1, "failed"), error } });
  expect(log.messages[0]).toMatchObject({ status: "failed", error });

  log.apply({ name: "message:status", data: report(3, 1, "delivered") });

  expect(log.messages[0]).toMatchObject({ status: "delivered", error: null });
});

test("pages in any order, and twice, stand in order with the events between them", () => {
  for (const pages of permutations([[1, 2, 3], [4, 5, 6], [3, 4], [7]])) {
    const log = new ConversationLog();
    log.reset(7, "life-1");
    for (const page of pages) {
      log.merge(page.map((seq) => message(seq)));
      log.apply({ name: "message:new", data: message(log.cursor + 1) });
      log.apply({ name: "message:status", data: report(log.cursor + 1, page[0] ?? 0, "read") });
    }

    const seqs = log.messages.map((each) => each.seq);
    expect(seqs).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14]);
    expect(log.messages.filter((each) => each.status === "read").map((each) => each.seq)).toEqual([
      1, 3, 4, 7,
    ]);
  }
});

test("messages that were given away do not change, and stay the same until something does", () => {
  const log = new ConversationLog();
  log.apply({ name: "message:new", data: message(1) });
  const before = log.messages;
  expect(log.messages).toBe(before);

  log.apply({ name: "message:new", data: message(2) });
  log.apply({ name: "message:status", data: report(3, 1, "read") });

  expect(before).toEqual([message(1)]);
  expect(log.messages.map((each) => each.status)).toEqual(["read", "pending"]);
});
