import { expect, test, vi } from "vitest";
import { SocketClient } from "../src/seed.js";
import { FakeServer, settle } from "../src/testing/index.js";

async function connected() {
  const server = new FakeServer();
  const user = server.world.addUser("Ana");
  const client = new SocketClient({ openSocket: server.openSocket, debug: false });
  client.connect(server.token(user.id));
  await settle();
  return { server, client };
}

test("a listener that is added twice hears a message once, also after a reconnect", async () => {
  const { server, client } = await connected();
  const fake = server.world.addConversation("Carla");
  const heard = vi.fn();
  client.onNewMessage(heard);
  client.onNewMessage(heard);
  client.joinConversation(fake.body.id);
  await settle();
  server.world.receive(fake, "um");

  server.cutAll();
  server.world.receive(fake, "dois");
  await vi.waitFor(() => expect(client.isConnected()).toBe(true), 3_000);
  await settle();

  expect(heard.mock.calls.map(([message]) => message.content.text)).toEqual(["um", "dois"]);
});

test("subscribing returns what ends it, and off ends one or all", async () => {
  const { server, client } = await connected();
  const fake = server.world.addConversation("Carla");
  const [first, second] = [vi.fn(), vi.fn()];
  const stop = client.onNewMessage(first);
  client.onNewMessage(second);
  client.joinConversation(fake.body.id);
  await settle();

  stop();
  server.world.receive(fake, "um");
  client.off("message:new");
  server.world.receive(fake, "dois");

  expect(first).not.toHaveBeenCalled();
  expect(second).toHaveBeenCalledTimes(1);
});

test("a join before the connection happens as soon as there is one", async () => {
  const server = new FakeServer();
  const user = server.world.addUser("Ana");
  const fake = server.world.addConversation("Carla");
  const client = new SocketClient({ openSocket: server.openSocket, debug: false });
  client.joinConversation(fake.body.id);

  client.connect(() => server.token(user.id));
  await settle();

  expect([...server.connections][0]?.rooms).toContain(fake.body.id);
});

test("a fresh token takes the place of one that expired, at once", async () => {
  const { server, client } = await connected();
  server.validToken = (token) => token.endsWith("#1");
  server.cutAll();
  await vi.waitFor(() => expect(server.handshakes.length).toBeGreaterThanOrEqual(3), 4_000);
  expect(client.isConnected()).toBe(false);

  client.connect(server.token(server.world.users[0]?.id ?? "", 1));
  await settle();

  expect(client.isConnected()).toBe(true);
});

test("a fresh token brings back a connection that a code has stopped", async () => {
  const { server, client } = await connected();
  const [connection] = server.connections;
  if (connection) server.expel(connection, "token_revoked");
  await settle();

  client.connect(server.token(server.world.users[0]?.id ?? "", 1));
  await settle();

  expect(client.isConnected()).toBe(true);
  expect(server.handshakes.at(-1)?.token).toMatch(/#1$/);
});

test("a join that was refused for the moment is sent again", async () => {
  const { server, client } = await connected();
  const fake = server.world.addConversation("Carla");
  server.nextRefusals.push({ code: "rate_limited", retryable: true, retry_after_ms: 50 });

  client.joinConversation(fake.body.id);
  await settle();
  const [connection] = server.connections;
  expect(connection?.rooms).not.toContain(fake.body.id);

  await vi.waitFor(() => expect(connection?.rooms).toContain(fake.body.id), 1_000);
});

test("disconnecting ends it", async () => {
  const { server, client } = await connected();
  expect(client.isConnected()).toBe(true);

  client.disconnect();

  expect(client.isConnected()).toBe(false);
  expect(server.connections.size).toBe(0);
});
