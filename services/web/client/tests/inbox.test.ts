import { expect, test } from "vitest";
import { type FakeServer, refuse } from "../src/testing/index.js";
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

test("a list that news does not concern stays the same object", async () => {
  const { server, client, user } = await started();
  server.world.addConversation("Livre");
  const mine = server.world.addConversation("Minha", user.id);
  await client.inbox.load("mine");
  await client.inbox.load("unassigned");
  const before = client.inbox.snapshot().lists;

  server.world.receive(mine, "oi");

  const { lists } = client.inbox.snapshot();
  expect(lists.unassigned).toBe(before.unassigned);
  expect(lists.mine).not.toBe(before.mine);
});

/** What happens while the answer to a request is on its way. */
async function duringReload(server: FakeServer, happen: () => void): Promise<void> {
  let arrive = () => {};
  server.restWaitsFor = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  for (const connection of server.connections) connection.say("resync", { scope: "inbox" });
  await server.clock.advance(50);
  happen();
  arrive();
  await server.clock.advance(50);
}

test("a row that comes while the list is fetched again stays", async () => {
  const { server, client, user } = await started();
  await client.inbox.load("mine");

  await duringReload(server, () => {
    server.world.receive(server.world.addConversation("Nova", user.id), "oi");
  });

  expect(client.inbox.snapshot().lists.mine.rows.map((row) => row.contact.name)).toEqual(["Nova"]);
});

test("a row that goes while the list is fetched again does not come back", async () => {
  const { server, client, user } = await started();
  const fake = server.world.addConversation("Carla", user.id);
  server.world.receive(fake, "oi");
  await client.inbox.load("mine");

  await duringReload(server, () => {
    const removed = { conversation_id: fake.body.id, seq: fake.body.last_seq + 1 };
    for (const connection of server.connections) connection.say("inbox:removed", removed);
  });

  expect(client.inbox.snapshot().lists.mine.rows).toEqual([]);
});

test("what is read while the list is fetched again stays read", async () => {
  const { server, client, user } = await started();
  const fake = server.world.addConversation("Carla", user.id);
  server.world.receive(fake, "oi");
  await client.inbox.load("mine");

  await duringReload(server, () => {
    const read = server.world.read(fake, user.id, 1);
    for (const connection of server.connections) connection.say("conversation:read", read);
  });

  expect(client.inbox.snapshot().unread).toBe(0);
});

test("a message that was read before its row came is not counted", async () => {
  const { server, client, user } = await started();
  const fake = server.world.addConversation("Carla", user.id);
  server.world.receive(fake, "um");
  await client.inbox.load("mine");
  const read = { conversation_id: fake.body.id, seq: 2, unread_count: 0 };

  for (const connection of server.connections) connection.say("conversation:read", read);
  server.world.receive(fake, "dois");
  expect(client.inbox.row(fake.body.id)?.unread_count).toBe(0);
  server.world.receive(fake, "três");

  expect(client.inbox.row(fake.body.id)?.unread_count).toBe(1);
});

test("a further page that failed leaves the list as it was, to be asked for again later", async () => {
  const { server, client } = await started();
  for (let n = 0; n < 60; n += 1) server.world.addConversation(String(n));
  await client.inbox.load("all");
  server.nextAnswers.push({ ...refuse(429, "rate_limited"), headers: { "retry-after": "7" } });
  await client.inbox.loadMore("all");
  const list = client.inbox.snapshot().lists.all;
  expect(list).toMatchObject({ state: "ready", hasMore: true, error: { code: "rate_limited" } });
  const before = server.requests.length;

  await client.inbox.loadMore("all");
  expect(server.requests.length).toBe(before);
  await server.clock.advance(7_000);
  await client.inbox.loadMore("all");

  expect(client.inbox.snapshot().lists.all.rows).toHaveLength(60);
});

test("a list that could not be fetched again is fetched when the server may be asked", async () => {
  const { server, client, user } = await started();
  const fake = server.world.addConversation("Carla", user.id);
  await client.inbox.load("mine");
  fake.body.assigned_to = "somebody else";
  server.nextAnswers.push({ ...refuse(503, "unavailable"), headers: { "retry-after": "7" } });

  for (const connection of server.connections) connection.say("resync", { scope: "inbox" });
  await server.clock.advance(6_900);
  expect(client.inbox.snapshot().lists.mine.rows).toHaveLength(1);
  await server.clock.advance(200);

  expect(client.inbox.snapshot().lists.mine.rows).toEqual([]);
});
