import { expect, test } from "vitest";
import { started } from "./setup.js";

test("lists hold what belongs to them and follow the news", async () => {
  const { server, client, user } = await started();
  const free = server.world.addConversation("Livre");
  await client.inbox.load("mine");
  await client.inbox.load("unassigned");
  expect(client.inbox.snapshot().lists.unassigned.rows).toHaveLength(1);

  server.world.change(free, { assigned_to: user.id });
  await server.clock.advance(50);

  const { mine, unassigned } = client.inbox.snapshot().lists;
  expect(mine.rows.map((row) => row.contact.name)).toEqual(["Livre"]);
  expect(unassigned.rows).toEqual([]);
});

test("news to a shared room keeps this user's own count of unread messages", async () => {
  const { server, client, user } = await started();
  const fake = server.world.addConversation("Carla", user.id);
  server.world.receive(fake, "um");
  server.world.receive(fake, "dois");
  fake.readInbound.set(user.id, 1);
  await client.inbox.load("mine");

  server.world.receive(fake, "três");
  await server.clock.advance(50);

  expect(client.inbox.row(fake.body.id)?.unread_count).toBe(2);
});

test("what is read on another device is read here", async () => {
  const { server, client, user } = await started();
  const fake = server.world.addConversation("Carla", user.id);
  server.world.receive(fake, "um");
  await client.inbox.load("mine");
  expect(client.inbox.snapshot().unread).toBe(1);

  const read = { conversation_id: fake.body.id, seq: 1, unread_count: 0 };
  for (const connection of server.connections) connection.say("conversation:read", read);
  await server.clock.advance(50);

  expect(client.inbox.snapshot().unread).toBe(0);
});

test("a row that moved away while nobody heard is gone after the reload", async () => {
  const { server, client, user } = await started();
  const fake = server.world.addConversation("Carla", user.id);
  await client.inbox.load("mine");
  fake.body.assigned_to = "somebody else";

  for (const connection of server.connections) connection.say("resync", { scope: "inbox" });
  await server.clock.advance(50);

  expect(client.inbox.snapshot().lists.mine.rows).toEqual([]);
});

test("a list that failed says why and loads when it is asked again", async () => {
  const { server, client } = await started();
  server.isRestDown = true;
  await client.inbox.load("all");
  expect(client.inbox.snapshot().lists.all).toMatchObject({
    state: "failed",
    error: { code: "unreachable" },
  });
  server.isRestDown = false;

  await client.inbox.load("all");

  expect(client.inbox.snapshot().lists.all.state).toBe("ready");
});

test("a reconnect fetches the lists once, a hand-over not at all", async () => {
  const { server, client } = await started();
  await client.inbox.load("all");
  const before = server.requests.length;

  server.drain(10);
  await server.clock.advance(1_000);
  expect(server.requests.length - before).toBe(0);
  server.cutAll();
  await server.clock.advance(2_000);

  expect(server.requests.length - before).toBe(1);
});
