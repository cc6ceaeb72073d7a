// @vitest-environment happy-dom

import { useConversation } from "@pytake/realtime/react";
import type { FakeConversation } from "@pytake/realtime/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keepDraft } from "../src/composer/drafts";
import { TextComposer } from "../src/composer/TextComposer";
import { type Page, page, press, type } from "./page";

let inbox: Page;
let conversation: FakeConversation;

function Answer({ id }: { id: string }) {
  const open = useConversation(id);
  return <TextComposer open={open} conversation={conversation.body} hasWindow onNote={() => {}} />;
}

const field = () => inbox.find<HTMLTextAreaElement>("[data-composer]") as HTMLTextAreaElement;
const isHeldBack = () => inbox.find("[data-stale-guard]") !== null;
const show = () => inbox.show(<Answer id={conversation.body.id} />);
const send = () => inbox.act(() => press(field(), "Enter"));
const posted = () =>
  inbox.server.requests.filter(
    ({ method, path }) => method === "POST" && path.endsWith("/messages"),
  );

function colleagueAnswers() {
  inbox.server.world.write(conversation, { sender_id: "bruno", content: { text: "já vai" } });
}

beforeEach(async () => {
  localStorage.clear();
  inbox = await page();
  conversation = inbox.server.world.addConversation("Carla", inbox.user.id);
  inbox.server.world.receive(conversation, "Oi");
});

afterEach(() => inbox.close());

test("an answer that came while one wrote holds the reply back once", async () => {
  await show();
  await inbox.act(() => type(field(), "Bom dia"));
  await inbox.act(colleagueAnswers);

  await send();
  expect(isHeldBack()).toBe(true);
  expect(posted()).toEqual([]);

  await inbox.act(() => inbox.find("[data-stale-guard] button")?.click());
  await send();
  expect(posted()).toHaveLength(1);
});

test("a stored draft raises no alarm about what was there before it", async () => {
  colleagueAnswers();
  keepDraft(conversation.body.id, "Bom dia");
  await show();

  await send();

  expect(isHeldBack()).toBe(false);
  expect(posted()).toHaveLength(1);
});

test("an answer that came while the page was closed holds the stored draft back", async () => {
  await show();
  await inbox.act(() => type(field(), "Bom dia"));
  await inbox.show(null);
  // What lingers after a conversation was left is gone after a reload.
  await inbox.pass(10_000);
  colleagueAnswers();
  await show();

  await send();

  expect(isHeldBack()).toBe(true);
});

test("the next draft begins anew", async () => {
  await show();
  await inbox.act(() => type(field(), "Bom dia"));
  await inbox.act(() => type(field(), ""));
  await inbox.act(colleagueAnswers);
  await inbox.act(() => type(field(), "Boa tarde"));

  await send();

  expect(isHeldBack()).toBe(false);
  expect(localStorage).toHaveLength(0);
});
