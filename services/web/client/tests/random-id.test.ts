import { afterEach, expect, test, vi } from "vitest";
import { MemoryOutboxStorage, RealtimeClient } from "../src/index.js";
import { randomId } from "../src/random-id.js";
import { FakeServer } from "../src/testing/index.js";

afterEach(() => vi.unstubAllGlobals());

test("ids are random UUIDs of version 4", () => {
  const ids = Array.from({ length: 1_000 }, randomId);

  expect(new Set(ids).size).toBe(1_000);
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});

test("a page that came by plain http can send and note", async () => {
  const { crypto } = globalThis;
  vi.stubGlobal("crypto", {
    getRandomValues: (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes),
  });
  const server = new FakeServer();
  const { id: userId } = server.world.addUser("Ana");
  const { fetch, openSocket, clock } = server;
  const getToken = () => server.token(userId);
  const storage = new MemoryOutboxStorage();
  const client = new RealtimeClient({ userId, getToken, fetch, openSocket, clock, storage });
  const fake = server.world.addConversation("Carla");

  client.send(fake.body.id, { content: { text: "olá" } });
  await client.peek(fake.body.id).addNote("pelo telefone");
  await clock.advance(100);

  expect(fake.messages).toHaveLength(1);
  expect(fake.notes).toHaveLength(1);
  client.stop();
});
