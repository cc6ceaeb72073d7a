import { expect, test } from "vitest";
import type { Conversation } from "../src/conversation.js";
import { ConversationLog } from "../src/log.js";
import { started } from "./setup.js";

const notes = (conversation: Conversation) => conversation.snapshot().notes.map(({ text }) => text);

async function opened() {
  const made = await started();
  const fake = made.server.world.addConversation("Carla");
  made.server.world.receive(fake, "oi");
  made.server.world.note(fake, made.user.id, "prefere boleto");
  const { conversation } = made.client.openConversation(fake.body.id);
  await made.server.clock.advance(100);
  return { ...made, fake, conversation };
}

test("notes stand beside the messages, those of before and those of now", async () => {
  const { server, user, fake, conversation } = await opened();

  server.world.note(fake, user.id, "liga depois das 18h");
  await server.clock.advance(100);

  expect(notes(conversation)).toEqual(["prefere boleto", "liga depois das 18h"]);
  expect(conversation.snapshot().messages).toHaveLength(1);
  expect(conversation.snapshot().behind).toBe(0);
});

test("a note of one's own is there once, though its answer and its event both bring it", async () => {
  const { server, conversation } = await opened();

  await conversation.addNote("cliente antigo");
  await server.clock.advance(100);

  expect(notes(conversation)).toEqual(["prefere boleto", "cliente antigo"]);
});

test("a note that was taken back is gone, and a late page does not bring it back", async () => {
  const { server, fake, conversation } = await opened();
  const [note] = fake.notes;

  await conversation.removeNote(note?.id ?? "");
  await server.clock.advance(100);
  expect(notes(conversation)).toEqual([]);

  const log = new ConversationLog();
  log.reset(0, "life");
  log.apply({ name: "note:removed", data: { conversation_id: "c", id: "n", seq: 1 } });
  log.mergeNotes([{ ...(note as NonNullable<typeof note>), id: "n" }]);
  expect(log.notes).toEqual([]);
});

test("notes that were missed are replayed", async () => {
  const { server, user, fake, conversation } = await opened();
  server.cutAll();
  server.world.note(fake, user.id, "enquanto isso");

  await server.clock.advance(2_000);

  expect(notes(conversation)).toEqual(["prefere boleto", "enquanto isso"]);
});

test("a server that knows no notes yet has none, and the conversation opens", async () => {
  const made = await started();
  const fake = made.server.world.addConversation("Carla");
  made.server.world.receive(fake, "oi");
  const { fetch } = made.server;
  const old: typeof fetch = async (input, init) =>
    String(input).includes("/notes")
      ? new Response(JSON.stringify({ code: "not_found" }), { status: 404 })
      : fetch(input, init);
  const rest = made.client.rest as unknown as { options: { fetch: typeof fetch } };
  rest.options.fetch = old;

  const { conversation } = made.client.openConversation(fake.body.id);
  await made.server.clock.advance(100);

  expect(conversation.snapshot().phase).toBe("ready");
  expect(notes(conversation)).toEqual([]);
});

test("labels come with the event that changed them", async () => {
  const { server, fake, conversation } = await opened();

  server.world.change(fake, { add_labels: ["vip"] });
  await server.clock.advance(100);

  expect(conversation.snapshot().conversation?.labels).toEqual(["vip"]);
});

test("an event that only a later contract knows is passed over, not waited for", async () => {
  const { server, fake, conversation } = await opened();
  fake.body.last_seq += 1;
  const seq = fake.body.last_seq;
  const event = "poll:new" as never;
  fake.log.push({ seq, event, data: { seq }, created_at: server.world.time() });
  server.world.receive(fake, "depois");

  await server.clock.advance(4_000);

  expect(conversation.snapshot().messages.map(({ content }) => content.text)).toEqual([
    "oi",
    "depois",
  ]);
  expect(conversation.snapshot().behind).toBe(0);
});
