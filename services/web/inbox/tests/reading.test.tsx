// @vitest-environment happy-dom
import { useConversation } from "@pytake/realtime/react";
import type { FakeConversation } from "@pytake/realtime/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MessageList } from "../src/thread/MessageList";
import { type Page, page } from "./page";

let inbox: Page;
let conversation: FakeConversation;

function History() {
  const open = useConversation(conversation.body.id);
  return <MessageList open={open} searched="" />;
}

/** A history that is higher than its window, and where in it one is. */
async function scrollTo(scrollTop: number): Promise<void> {
  const history = inbox.find("[data-history]") as HTMLElement;
  const place = { scrollHeight: 2_000, clientHeight: 500, scrollTop };
  for (const [name, value] of Object.entries(place)) {
    Object.defineProperty(history, name, { value, configurable: true, writable: true });
  }
  await inbox.act(() => history.dispatchEvent(new Event("scroll")));
}

const unread = () => inbox.server.world.bodyFor(conversation, inbox.user.id).unread_count;

beforeEach(async () => {
  inbox = await page();
  conversation = inbox.server.world.addConversation("Carla", inbox.user.id);
  inbox.server.world.receive(conversation, "Oi");
});

afterEach(() => inbox.close());

test("what arrives below the screen is read when one comes to the end", async () => {
  await inbox.show(<History />);
  expect(unread()).toBe(0);
  await scrollTo(600);

  await inbox.act(() => void inbox.server.world.receive(conversation, "Alguém aí?"));
  await inbox.pass(5_000);
  expect(unread()).toBe(1);

  await scrollTo(1_500);
  await inbox.pass(5_000);
  expect(unread()).toBe(0);
});
