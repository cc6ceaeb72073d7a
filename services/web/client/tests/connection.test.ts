import { expect, test } from "vitest";
import { RealtimeError } from "../src/errors.js";
import { bench, started } from "./setup.js";

test("connecting ends online", async () => {
  const { client, states } = await started();

  expect(client.snapshot().state).toBe("online");
  expect(states).toEqual(["connecting", "online"]);
});

test("a lost connection comes back within a second and names the one before", async () => {
  const { server, client, states } = await started();

  server.cutAll();
  expect(client.snapshot().state).toBe("offline");
  await server.clock.advance(1_000);

  expect(client.snapshot().state).toBe("online");
  expect(states.slice(2)).toEqual(["offline", "connecting", "online"]);
  expect(server.handshakes.at(-1)?.resume).toEqual({ previous_sid: "sid-1", cause: "network" });
});

test("it never gives up, and waits at most thirty seconds", async () => {
  const { server, client } = await started();
  server.refuseWith = "unreachable";
  server.cutAll();
  await server.clock.advance(30 * 60_000);
  const tried = server.handshakes.length;

  await server.clock.advance(31_000);

  expect(server.handshakes.length).toBeGreaterThan(tried);
  expect(client.snapshot().state).toBe("offline");
});

test.each(["online", "visible", "slept"] as const)(
  "%s ends a long wait at once",
  async (reason) => {
    const { server, client, wake } = await started();
    server.refuseWith = "unreachable";
    server.cutAll();
    await server.clock.advance(10 * 60_000);
    server.refuseWith = undefined;

    wake(reason);
    await server.clock.advance(20);

    expect(client.snapshot().state).toBe("online");
  },
);

test("after sleep a dead connection is found within three seconds", async () => {
  const { server, client, wake } = await started();
  for (const connection of server.connections) connection.isDeaf = true;

  wake("slept");
  await server.clock.advance(3_100);

  expect(client.snapshot().state).toBe("online");
  expect(server.handshakes).toHaveLength(2);
});

test("a dead connection is found within three seconds, also shortly before the token's end", async () => {
  const { server, client, wake } = await started();
  await server.clock.advance(870_000);
  for (const connection of server.connections) connection.isDeaf = true;

  wake("visible");
  await server.clock.advance(3_100);

  expect(client.snapshot().state).toBe("online");
  expect(server.handshakes).toHaveLength(2);
});

test("after sleep past the token's end a fresh token is fetched before the resume", async () => {
  const asked: (boolean | undefined)[] = [];
  const { server, client, user, wake } = await started({
    getToken: (options) => {
      asked.push(options?.fresh);
      return `${user0()}#${asked.length}`;
    },
  });
  function user0() {
    return "00000000-0000-4000-8000-000000000001";
  }
  expect(user.id).toBe(user0());

  await server.clock.sleep(20 * 60_000);
  wake("slept");
  await server.clock.advance(20);

  expect(asked).toEqual([false, true]);
  expect(client.snapshot().state).toBe("online");
});

test("a token about to expire is renewed on the same connection", async () => {
  const { server } = await started();

  for (const connection of server.connections) {
    connection.say("token:expiring", { expires_at: server.world.time() });
  }
  await server.clock.advance(20);

  expect(server.received.at(-1)?.event).toBe("auth:refresh");
  expect(server.handshakes).toHaveLength(1);
});

test("an expired token in the handshake is renewed once and tried again at once", async () => {
  let serial = 0;
  const made = bench({ getToken: ({ fresh } = {}) => `ana#${fresh ? ++serial : serial}` });
  made.server.validToken = (token) => token.endsWith("#1");
  made.client.start();
  await made.server.clock.advance(20);

  expect(made.client.snapshot().state).toBe("online");
  expect(made.server.handshakes).toHaveLength(2);
});

test.each(["connection_cap", "superseded", "token_revoked"])(
  "%s stops it for good",
  async (code) => {
    const { server, client } = await started();
    const [connection] = server.connections;

    if (connection) server.expel(connection, code);
    await server.clock.advance(120_000);

    expect(client.snapshot()).toMatchObject({ state: "stopped", code });
    expect(server.handshakes).toHaveLength(1);
  },
);

test.each([
  ["a refused event", { event: "mark_read" }, false],
  ["an error that other events followed", {}, true],
])("%s is not the reason of a later loss", async (_name, more, isFollowed) => {
  const { server, client } = await started();
  const [connection] = server.connections;
  const refused = { code: "rate_limited", message: "", retryable: true, retry_after_ms: 9_000 };
  connection?.say("error", { ...refused, ...more });
  if (isFollowed) connection?.say("resync", { scope: "inbox" });

  server.cutAll();

  expect(client.snapshot()).toMatchObject({ state: "offline", code: undefined });
  await server.clock.advance(1_000);
  expect(client.snapshot().state).toBe("online");
});

test("after a final code the user can bring it back", async () => {
  const { server, client } = await started();
  const [connection] = server.connections;
  if (connection) server.expel(connection, "connection_cap");

  client.start();
  await server.clock.advance(20);

  expect(client.snapshot().state).toBe("online");
});

test("a token that never comes is asked for again", async () => {
  let asked = 0;
  const made = bench({
    getToken: () => {
      asked += 1;
      return asked === 1 ? new Promise<string>(() => {}) : made.server.token(made.user.id);
    },
  });
  made.client.start();

  await made.server.clock.advance(21_000);

  expect(made.client.snapshot().state).toBe("online");
});

test("a token that can't be had for good stops it with its code", async () => {
  const refuse = () => Promise.reject(new RealtimeError("token_revoked", "revoked"));
  const { client } = await started({ getToken: refuse });

  expect(client.snapshot()).toMatchObject({ state: "stopped", code: "token_revoked" });
});

test("draining opens the new connection first and closes the old one after it caught up", async () => {
  const { server, client, states } = await started();
  const fake = server.world.addConversation("Carla");
  const { conversation } = client.openConversation(fake.body.id);
  await server.clock.advance(100);
  const [old] = server.connections;

  server.drain(1_000);
  await server.clock.advance(900);
  expect(server.handshakes).toHaveLength(1);
  server.world.receive(fake, "durante");
  await server.clock.advance(300);

  expect(old?.isOpen).toBe(false);
  expect(server.connections.size).toBe(1);
  expect(states).not.toContain("offline");
  expect(conversation.snapshot().messages).toHaveLength(1);
});

test("without a socket the list is refreshed every thirty seconds and says so", async () => {
  const { server, client } = await started();
  await client.inbox.load("all");
  server.refuseWith = "unreachable";
  server.cutAll();
  await server.clock.advance(100);
  const before = server.requests.length;

  await server.clock.advance(61_000);

  expect(client.snapshot()).toMatchObject({ state: "offline", isPolling: true });
  expect(server.requests.length - before).toBe(2);
});

test("stopping closes the connection and tries nothing more", async () => {
  const { server, client } = await started();

  client.stop();
  await server.clock.advance(60_000);

  expect(client.snapshot().state).toBe("stopped");
  expect(server.connections.size).toBe(0);
  expect(server.handshakes).toHaveLength(1);
});
