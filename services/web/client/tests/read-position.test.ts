import { expect, test } from "vitest";
import { bench, started } from "./setup.js";

test("what was read before there was a connection is told by REST", async () => {
  const { server, client, user } = bench();
  const fake = server.world.addConversation("Carla");
  server.world.receive(fake, "oi");
  server.refuseWith = "unreachable";
  client.start();
  const { conversation } = client.openConversation(fake.body.id);
  await server.clock.advance(100);
  expect(conversation.snapshot().phase).toBe("ready");

  conversation.markRead(1);
  await server.clock.advance(100);

  expect(fake.readInbound.get(user.id)).toBe(1);
});

test("a read position that nobody took is told in the next session", async () => {
  const { server, client, user } = await started();
  const fake = server.world.addConversation("Carla");
  server.world.receive(fake, "oi");
  const { conversation } = client.openConversation(fake.body.id);
  await server.clock.advance(100);
  server.cutAll();
  server.isRestDown = true;

  conversation.markRead(1);
  await server.clock.advance(100);
  expect(fake.readInbound.get(user.id)).toBeUndefined();
  await server.clock.advance(1_000);
  conversation.markRead(1);
  await server.clock.advance(100);

  expect(fake.readInbound.get(user.id)).toBe(1);
});

test("a read position that a dead connection swallowed is told in the next session", async () => {
  const { server, client, user, wake } = await started();
  const fake = server.world.addConversation("Carla");
  server.world.receive(fake, "oi");
  const { conversation } = client.openConversation(fake.body.id);
  await server.clock.advance(100);
  for (const connection of server.connections) connection.isDeaf = true;

  conversation.markRead(1);
  wake("visible");
  await server.clock.advance(4_000);

  expect(fake.readInbound.get(user.id)).toBe(1);
});

test("a busy server is told again when it asked for it", async () => {
  const { server, client, user } = bench();
  const fake = server.world.addConversation("Carla");
  server.world.receive(fake, "oi");
  server.refuseWith = "unreachable";
  client.start();
  const { conversation } = client.openConversation(fake.body.id);
  await server.clock.advance(100);
  const body = { code: "rate_limited", retryable: true };
  server.nextAnswers.push({ status: 429, body, headers: { "retry-after": "7" } });

  conversation.markRead(1);
  await server.clock.advance(6_900);
  expect(fake.readInbound.get(user.id)).toBeUndefined();
  await server.clock.advance(200);

  expect(fake.readInbound.get(user.id)).toBe(1);
});
