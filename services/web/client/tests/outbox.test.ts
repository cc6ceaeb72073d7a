import { expect, test } from "vitest";
import { MemoryOutboxStorage } from "../src/outbox-storage.js";
import { refuse } from "../src/testing/index.js";
import { type Bench, bench, started } from "./setup.js";

const answerWith = (status: number, body: string) => ({ status, body });
const say = (text: string) => ({ content: { text } });

async function opened(made: Bench) {
  const fake = made.server.world.addConversation("Carla");
  const { conversation } = made.client.openConversation(fake.body.id);
  await made.server.clock.advance(100);
  return { fake, conversation, id: fake.body.id };
}

test("a message is waiting at once and then stands in the thread once", async () => {
  const made = await started();
  const { conversation, id } = await opened(made);

  made.client.send(id, say("olá"));
  expect(conversation.snapshot().outgoing).toMatchObject([{ state: "waiting" }]);
  await made.server.clock.advance(100);

  expect(conversation.snapshot().outgoing).toEqual([]);
  expect(conversation.snapshot().messages).toMatchObject([{ content: { text: "olá" } }]);
});

test("what waits stays one and the same list until it changes", async () => {
  const made = await started();
  const { fake, conversation, id } = await opened(made);
  made.server.isRestDown = true;
  made.client.send(id, say("espera"));
  const { outgoing } = conversation.snapshot();

  made.server.world.write(fake, { content: { text: "oi" } });
  await made.server.clock.advance(100);
  expect(conversation.snapshot().messages).toHaveLength(1);
  expect(conversation.snapshot().outgoing).toBe(outgoing);

  made.client.send(id, say("espera também"));
  expect(conversation.snapshot().outgoing).toHaveLength(2);
});

test("messages leave in the order in which they were written, also after an outage", async () => {
  const made = await started();
  const { fake, id } = await opened(made);
  made.server.isRestDown = true;
  for (const text of ["um", "dois", "três"]) made.client.send(id, say(text));
  await made.server.clock.advance(60_000);
  expect(made.client.snapshot().waiting).toBe(3);

  made.server.isRestDown = false;
  await made.server.clock.advance(30_000);

  expect(fake.messages.map((message) => message.content.text)).toEqual(["um", "dois", "três"]);
  expect(made.client.snapshot().waiting).toBe(0);
});

test("what waits survives a reload and arrives once, even if the server had taken it", async () => {
  const storage = new MemoryOutboxStorage();
  const made = await started({ storage });
  const { fake, id } = await opened(made);
  made.server.isRestDown = true;
  const item = made.client.send(id, say("antes de recarregar"));
  await made.server.clock.advance(100);
  made.client.stop();
  // The answer was lost, not the message.
  const { client_message_id, content } = item;
  made.server.world.write(fake, { client_message_id, content, sender_id: made.user.id });
  made.server.isRestDown = false;

  const again = bench({ storage }, made.server);
  again.client.start();
  await made.server.clock.advance(1_000);

  expect(fake.messages).toHaveLength(1);
  expect(again.client.snapshot().waiting).toBe(0);
});

test("a refusal keeps the message with its reason until it is sent again or discarded", async () => {
  const made = await started();
  const { conversation, fake, id } = await opened(made);
  made.server.nextAnswers.push(refuse(422, "window_closed"));

  const item = made.client.send(id, say("tarde demais"));
  await made.server.clock.advance(100);
  expect(conversation.snapshot().outgoing).toMatchObject([
    { state: "failed", error: { code: "window_closed", trace_id: "fake-trace" } },
  ]);
  made.client.outbox.retry(item.client_message_id);
  await made.server.clock.advance(100);

  expect(fake.messages).toHaveLength(1);
  expect(conversation.snapshot().outgoing).toEqual([]);
});

test("a reply to a stale view is held back; sent again it goes out whatever was written", async () => {
  const made = await started();
  const { conversation, fake, id } = await opened(made);
  made.server.world.receive(fake, "nova pergunta");

  const item = made.client.send(id, { ...say("velha resposta"), based_on_seq: 0 });
  await made.server.clock.advance(100);
  expect(conversation.snapshot().outgoing).toMatchObject([{ error: { code: "stale_view" } }]);
  made.client.outbox.retry(item.client_message_id);
  await made.server.clock.advance(100);

  expect(fake.messages.at(-1)?.content.text).toBe("velha resposta");
});

test.each([
  ["a page of a captive portal", answerWith(200, "<html>Sign in</html>")],
  ["a body that was cut", answerWith(201, '{"id": "0000')],
  ["a token that was refused", refuse(401, "token_revoked")],
])("%s says nothing of the message: it goes on waiting and arrives once", async (_name, answer) => {
  const made = await started();
  const { fake, id } = await opened(made);
  made.server.nextAnswers.push(answer);

  made.client.send(id, say("olá"));
  await made.server.clock.advance(100);
  expect(made.client.snapshot().waiting).toBe(1);
  await made.server.clock.advance(2_000);

  expect(fake.messages.map((message) => message.content.text)).toEqual(["olá"]);
});

test("a token that can't be had at this moment fails no message", async () => {
  let isAway = false;
  const made = await started({
    getToken: async () => {
      if (isAway) throw new TypeError("Failed to fetch");
      return made.server.token(made.user.id);
    },
  });
  const { fake, id } = await opened(made);
  isAway = true;

  made.client.send(id, say("olá"));
  await made.server.clock.advance(100);
  isAway = false;
  await made.server.clock.advance(30_000);

  expect(fake.messages).toHaveLength(1);
});

test("a request that the network swallowed is sent again after half a minute", async () => {
  const made = await started();
  const { fake, id } = await opened(made);
  made.server.isRestMute = true;
  made.client.send(id, say("olá"));
  await made.server.clock.advance(10_000);
  made.server.isRestMute = false;

  await made.server.clock.advance(25_000);

  expect(fake.messages).toHaveLength(1);
  expect(made.client.snapshot().waiting).toBe(0);
});

test("what was written in the same moment keeps its order through a reload", async () => {
  class Shuffled extends MemoryOutboxStorage {
    override async all(userId: string) {
      return (await super.all(userId)).reverse();
    }
  }
  const storage = new Shuffled();
  const made = await started({ storage });
  const { fake, id } = await opened(made);
  made.server.isRestDown = true;
  for (const text of ["um", "dois", "três"]) made.client.send(id, say(text));
  made.client.stop();
  made.server.isRestDown = false;

  const again = bench({ storage }, made.server);
  again.client.start();
  await made.server.clock.advance(1_000);

  expect(fake.messages.map((message) => message.content.text)).toEqual(["um", "dois", "três"]);
});

test("a busy server is given the time that it asks for", async () => {
  const made = await started();
  const { fake, id } = await opened(made);
  const busy = refuse(429, "rate_limited");
  made.server.nextAnswers.push({ ...busy, headers: { "retry-after": "7" } });

  made.client.send(id, say("devagar"));
  await made.server.clock.advance(6_900);
  expect(fake.messages).toHaveLength(0);
  await made.server.clock.advance(200);

  expect(fake.messages).toHaveLength(1);
});
