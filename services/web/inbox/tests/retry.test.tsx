// @vitest-environment happy-dom
import { useConversation } from "@pytake/realtime/react";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MessageRow } from "../src/thread/MessageRow";
import { timelineOf } from "../src/thread/timeline";
import { pt } from "../src/words/pt";
import { type Page, page } from "./page";

let inbox: Page;

function Messages({ id }: { id: string }) {
  const open = useConversation(id);
  return timelineOf(open.messages, open.outgoing, open.hasOlder)
    .filter((item) => item.kind === "message")
    .map(({ key, ...item }) => <MessageRow key={key} {...item} open={open} searched="" />);
}

beforeEach(async () => {
  inbox = await page();
});

afterEach(() => inbox.close());

test("a message that failed is sent again once, and again only if that was taken back", async () => {
  const { server, client, user } = inbox;
  const conversation = server.world.addConversation("Carla", user.id);
  const { id } = server.world.write(conversation, { sender_id: user.id, content: { text: "oi" } });
  Object.assign(conversation.messages[0] ?? {}, { status: "failed", error: { code: "131000" } });
  await inbox.show(<Messages id={conversation.body.id} />);
  server.isRestDown = true;

  await inbox.act(() => inbox.button(pt.sendAgain)?.click());

  const waiting = client.outbox.of(conversation.body.id);
  expect(waiting.map(({ retry_of }) => retry_of)).toEqual([id]);
  expect(inbox.button(pt.sendAgain)).toBeUndefined();

  await inbox.act(() => client.outbox.discard(waiting[0]?.client_message_id ?? ""));
  expect(inbox.button(pt.sendAgain)).toBeDefined();
});
