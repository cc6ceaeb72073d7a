import { expect, test } from "vitest";
import { refuse } from "../src/testing/index.js";
import { bench, started } from "./setup.js";

test("what was opened without a connection is loaded as soon as there is one", async () => {
  const { server, client } = bench();
  const fake = server.world.addConversation("Carla");
  server.world.receive(fake, "oi");
  server.refuseWith = "unreachable";
  server.isRestDown = true;
  client.start();
  const { conversation } = client.openConversation(fake.body.id);
  await server.clock.advance(100);
  expect(conversation.snapshot().phase).toBe("failed");

  server.refuseWith = undefined;
  server.isRestDown = false;
  await server.clock.advance(2_000);

  expect(conversation.snapshot()).toMatchObject({ phase: "ready", lastSeq: 1 });
  expect(client.snapshot().state).toBe("online");
});

test("what was opened without a connection is loaded by REST while there is none", async () => {
  const { server, client } = bench();
  const fake = server.world.addConversation("Carla");
  server.refuseWith = "unreachable";
  server.isRestDown = true;
  client.start();
  const { conversation } = client.openConversation(fake.body.id);
  await server.clock.advance(100);

  server.isRestDown = false;
  await server.clock.advance(31_000);

  expect(conversation.snapshot().phase).toBe("ready");
});

test("a busy server is asked again when it said, and until then it is not called online", async () => {
  const { server, client } = await started();
  const fake = server.world.addConversation("Carla");
  server.nextAnswers.push({ ...refuse(503, "unavailable"), headers: { "retry-after": "7" } });
  const { conversation } = client.openConversation(fake.body.id);
  await server.clock.advance(6_900);
  expect(conversation.snapshot().phase).toBe("failed");
  expect(client.snapshot().state).toBe("catching-up");

  await server.clock.advance(200);

  expect(conversation.snapshot().phase).toBe("ready");
  expect(client.snapshot().state).toBe("online");
});

test("a refusal that stays is not asked again, and keeps nobody from being online", async () => {
  const { server, client } = await started();
  const fake = server.world.addConversation("Carla");
  server.nextAnswers.push(refuse(403, "forbidden"));
  const { conversation } = client.openConversation(fake.body.id);

  await server.clock.advance(60_000);

  expect(conversation.snapshot()).toMatchObject({ phase: "failed", error: { code: "forbidden" } });
  expect(client.snapshot().state).toBe("online");
});

test("a join without an answer is sent again on the same connection", async () => {
  const { server, client } = await started();
  const fake = server.world.addConversation("Carla");
  server.unanswered.add("join_conversation");
  const { conversation } = client.openConversation(fake.body.id);
  await server.clock.advance(5_000);
  expect(conversation.snapshot().phase).toBe("ready");
  expect(client.snapshot().state).toBe("catching-up");
  server.unanswered.clear();
  server.world.receive(fake, "oi");

  await server.clock.advance(10_000);

  expect(conversation.snapshot().messages).toHaveLength(1);
  expect(client.snapshot().state).toBe("online");
  expect(server.handshakes).toHaveLength(1);
});

test("a hand-over whose joins got no answer joins again", async () => {
  const { server, client } = await started();
  const fake = server.world.addConversation("Carla");
  client.openConversation(fake.body.id);
  await server.clock.advance(100);
  server.unanswered.add("join_conversations");

  server.drain(10);
  await server.clock.advance(11_000);

  const [connection, ...more] = server.connections;
  expect(more).toEqual([]);
  expect(connection?.rooms).toContain(fake.body.id);
  expect(client.snapshot().state).toBe("online");
});

test("a conversation that is handed back while it is open is there again", async () => {
  const { server, client, user } = await started();
  const fake = server.world.addConversation("Carla", user.id);
  server.world.receive(fake, "oi");
  const { conversation } = client.openConversation(fake.body.id);
  await server.clock.advance(100);
  for (const connection of server.connections) {
    const conversation_id = fake.body.id;
    connection.say("left_conversation", { conversation_id, reason: "forbidden" });
    connection.say("inbox:removed", { conversation_id, seq: fake.body.last_seq });
  }
  expect(conversation.snapshot().phase).toBe("gone");

  server.world.change(fake, { assigned_to: user.id });
  await server.clock.advance(100);
  server.world.receive(fake, "de volta");
  await server.clock.advance(100);

  expect(conversation.snapshot().phase).toBe("ready");
  expect(conversation.snapshot().messages).toHaveLength(2);
});

test("what is missing of a conversation that is gone keeps nobody from being online", async () => {
  const { server, client } = await started();
  const fake = server.world.addConversation("Carla");
  client.openConversation(fake.body.id);
  await server.clock.advance(100);
  server.loseEvents = 1;
  server.world.receive(fake, "perdida");
  server.world.receive(fake, "depois");
  expect(client.snapshot().state).toBe("catching-up");

  for (const connection of server.connections) {
    connection.say("left_conversation", { conversation_id: fake.body.id, reason: "forbidden" });
  }

  expect(client.snapshot()).toMatchObject({ state: "online", behind: 0 });
});

test("a hole is asked for again when the server said, and not at all while there is no connection", async () => {
  const { server, client } = await started();
  const fake = server.world.addConversation("Carla");
  const { conversation } = client.openConversation(fake.body.id);
  await server.clock.advance(100);
  const asked = () => server.requests.filter(({ path }) => path.endsWith("/events")).length;
  server.loseEvents = 1;
  server.world.receive(fake, "perdida");
  server.world.receive(fake, "depois");
  server.nextAnswers.push({ ...refuse(429, "rate_limited"), headers: { "retry-after": "7" } });
  await server.clock.advance(8_000);
  expect(asked()).toBe(1);
  server.refuseWith = "unreachable";
  server.isRestDown = true;
  server.cutAll();
  await server.clock.advance(20_000);
  expect(asked()).toBe(2);

  server.refuseWith = undefined;
  server.isRestDown = false;
  await server.clock.advance(30_000);

  expect(conversation.snapshot().messages).toHaveLength(2);
});
