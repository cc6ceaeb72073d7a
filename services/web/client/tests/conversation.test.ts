import { expect, test } from "vitest";
import type { Conversation } from "../src/conversation.js";
import type { FakeConversation } from "../src/testing/index.js";
import { type Bench, started } from "./setup.js";

const texts = (conversation: Conversation) =>
  conversation.snapshot().messages.map((message) => message.content.text);

async function opened(): Promise<Bench & { fake: FakeConversation; conversation: Conversation }> {
  const made = await started();
  const fake = made.server.world.addConversation("Carla");
  made.server.world.receive(fake, "oi");
  const { conversation } = made.client.openConversation(fake.body.id);
  await made.server.clock.advance(100);
  return { ...made, fake, conversation };
}

test("an opened conversation shows its history and then what happens live", async () => {
  const { server, fake, conversation } = await opened();

  server.world.receive(fake, "tudo bem?");
  await server.clock.advance(100);

  expect(texts(conversation)).toEqual(["oi", "tudo bem?"]);
  expect(conversation.snapshot().phase).toBe("ready");
});

test("what was missed while the connection was lost is replayed, each once and in order", async () => {
  const { server, client, fake, conversation } = await opened();
  server.cutAll();
  server.world.receive(fake, "um");
  server.world.receive(fake, "dois");

  await server.clock.advance(2_000);

  expect(texts(conversation)).toEqual(["oi", "um", "dois"]);
  expect(client.snapshot()).toMatchObject({ state: "online", behind: 0 });
  const joins = server.received.filter(({ event }) => event === "join_conversations");
  expect(joins.map(({ payload }) => payload)).toEqual([
    { conversations: [{ conversation_id: fake.body.id, last_seq: 1, epoch: "life-1" }] },
  ]);
});

test("an event that overtakes another waits for it", async () => {
  const { server, fake, conversation } = await opened();
  server.loseEvents = 1;
  server.world.receive(fake, "perdida");
  server.world.receive(fake, "depois");
  await server.clock.advance(100);
  expect(texts(conversation)).toEqual(["oi"]);
  expect(conversation.snapshot().behind).toBe(2);

  await server.clock.advance(2_000);

  expect(texts(conversation)).toEqual(["oi", "perdida", "depois"]);
});

test("a lost last event is fetched when the list names a newer head", async () => {
  const { server, fake, conversation } = await opened();
  server.loseEvents = 1;

  server.world.receive(fake, "perdida");
  await server.clock.advance(2_000);

  expect(texts(conversation)).toEqual(["oi", "perdida"]);
});

test.each([
  [
    "another epoch",
    (bench: Bench) => {
      bench.server.world.epoch = "life-2";
    },
  ],
  [
    "a cursor older than the log",
    (bench: Bench) => {
      bench.server.oldestKept = 100;
    },
  ],
])("%s makes the conversation load again", async (_name, spoil) => {
  const made = await opened();
  made.server.cutAll();
  made.server.world.receive(made.fake, "nova");
  spoil(made);

  await made.server.clock.advance(1_000);
  made.server.oldestKept = 1;
  await made.server.clock.advance(2_000);

  expect(texts(made.conversation)).toEqual(["oi", "nova"]);
});

test("statuses climb and never fall, in whatever order page and events come", async () => {
  const { server, fake, conversation, user } = await opened();
  const sent = server.world.write(fake, { content: { text: "olá" }, sender_id: user.id });
  server.world.report(fake, sent, "read");
  server.world.report(fake, sent, "delivered");

  await server.clock.advance(100);

  expect(conversation.snapshot().messages.at(-1)?.status).toBe("read");
});

test("older pages come when they are asked for and keep the order", async () => {
  const made = await started();
  const fake = made.server.world.addConversation("Carla");
  for (let n = 1; n <= 120; n += 1) made.server.world.receive(fake, String(n));
  const { conversation } = made.client.openConversation(fake.body.id);
  await made.server.clock.advance(100);
  expect(conversation.snapshot().messages).toHaveLength(50);

  await conversation.loadOlder();
  await conversation.loadOlder();

  expect(texts(conversation)).toEqual(Array.from({ length: 120 }, (_, n) => String(n + 1)));
  expect(conversation.snapshot().hasOlder).toBe(false);
});

test("an older page that failed is not asked for again before the server may be", async () => {
  const made = await started();
  const fake = made.server.world.addConversation("Carla");
  for (let n = 1; n <= 60; n += 1) made.server.world.receive(fake, String(n));
  const { conversation } = made.client.openConversation(fake.body.id);
  await made.server.clock.advance(100);
  const before = made.server.requests.length;
  // A page at the very top asks whenever it may.
  conversation.subscribe(() => void conversation.loadOlder());
  const busy = { code: "rate_limited", retryable: true };
  made.server.nextAnswers.push(
    { status: 429, body: busy, headers: { "retry-after": "7" } },
    { status: 503, body: busy },
    { status: 503, body: busy },
  );

  await conversation.loadOlder();
  const asked: number[] = [];
  for (let n = 0; n < 26; n += 1) {
    await made.server.clock.advance(1_000);
    asked.push(made.server.requests.length - before);
  }

  expect([asked[5], asked[8], asked[11], asked[16], asked[22]]).toEqual([1, 2, 2, 3, 3]);
  expect(conversation.snapshot().messages).toHaveLength(60);
});

test("a status that arrives before the page with its message is not lost", async () => {
  const made = await started();
  const fake = made.server.world.addConversation("Carla");
  const old = made.server.world.write(fake, { content: { text: "antiga" } });
  for (let n = 0; n < 60; n += 1) made.server.world.receive(fake, String(n));
  const { conversation } = made.client.openConversation(fake.body.id);
  await made.server.clock.advance(100);
  const page = conversation.loadOlder();

  made.server.world.report(fake, old, "read");
  await page;
  await made.server.clock.advance(100);

  expect(conversation.snapshot().messages[0]).toMatchObject({ status: "read" });
});

test("reading is told once a second with the newest position", async () => {
  const { server, fake, conversation } = await opened();
  conversation.markRead();
  await server.clock.advance(10);
  for (let n = 0; n < 5; n += 1) {
    server.world.receive(fake, String(n));
    await server.clock.advance(50);
    conversation.markRead();
  }
  await server.clock.advance(1_500);

  const told = server.received.filter(({ event }) => event === "mark_read");
  expect(told.map(({ payload }) => (payload as { seq: number }).seq)).toEqual([1, 6]);
});

test("typing is told every three seconds, and its end after two without a key", async () => {
  const { server, conversation } = await opened();
  for (let n = 0; n < 8; n += 1) {
    conversation.key();
    await server.clock.advance(500);
  }
  await server.clock.advance(2_000);

  const told = server.received
    .map(({ event }) => event)
    .filter((event) => event.startsWith("typing"));
  expect(told).toEqual(["typing_start", "typing_start", "typing_stop"]);
});

test("others stop typing when nothing more is heard of them for five seconds", async () => {
  const { server, fake, conversation } = await opened();
  const typing = { conversation_id: fake.body.id, user_id: "bruno", typing: true };
  for (const connection of server.connections) connection.say("user_typing", typing);
  await server.clock.advance(4_900);
  expect(conversation.snapshot().typing).toEqual(["bruno"]);

  await server.clock.advance(200);

  expect(conversation.snapshot().typing).toEqual([]);
});

test("losing access empties the conversation", async () => {
  const { server, fake, conversation } = await opened();

  for (const connection of server.connections) {
    connection.say("left_conversation", { conversation_id: fake.body.id, reason: "forbidden" });
  }

  expect(conversation.snapshot().phase).toBe("gone");
});

test("a conversation that is left for good leaves its room after a moment", async () => {
  const made = await started();
  const fake = made.server.world.addConversation("Carla");
  const { close } = made.client.openConversation(fake.body.id);
  await made.server.clock.advance(100);

  close();
  await made.server.clock.advance(6_000);

  expect(made.server.received.at(-1)?.event).toBe("leave_conversation");
});
