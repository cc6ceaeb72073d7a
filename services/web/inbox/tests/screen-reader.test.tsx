// @vitest-environment happy-dom
import { useConversation } from "@pytake/realtime/react";
import type { FakeConversation } from "@pytake/realtime/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TextComposer } from "../src/composer/TextComposer";
import { Announcer } from "../src/thread/Announcer";
import { AssignButton } from "../src/thread/AssignButton";
import { CloseButton } from "../src/thread/CloseButton";
import { pt } from "../src/words/pt";
import { type Page, page, press, type } from "./page";

let inbox: Page;
let conversation: FakeConversation;

beforeEach(async () => {
  localStorage.clear();
  inbox = await page();
  conversation = inbox.server.world.addConversation("Carla", inbox.user.id);
});

afterEach(() => inbox.close());

const field = () => inbox.find<HTMLTextAreaElement>("[data-composer]") as HTMLTextAreaElement;

async function write(text: string): Promise<void> {
  const Answer = () => {
    const open = useConversation(conversation.body.id);
    return (
      <TextComposer open={open} conversation={conversation.body} hasWindow onNote={() => {}} />
    );
  };
  inbox.server.world.cannedReplies.push(
    { id: "1", shortcut: "oi", text: "Olá!" },
    { id: "2", shortcut: "obrigado", text: "Obrigado!" },
  );
  await inbox.show(<Answer />);
  await inbox.act(() => type(field(), text));
}

test("the field names the option that Enter would pick, as the arrows move", async () => {
  await write("/o");
  const chosen = () =>
    document.getElementById(field().getAttribute("aria-activedescendant") ?? "")?.textContent;

  expect(inbox.find("[role=listbox]")?.id).toBe(field().getAttribute("aria-controls"));
  expect(chosen()).toContain("obrigado");

  await inbox.act(() => press(field(), "ArrowDown"));
  expect(chosen()).toContain("oi");
  const selected = [...document.querySelectorAll("[role=option]")].map((option) =>
    option.getAttribute("aria-selected"),
  );
  expect(selected).toEqual(["false", "true"]);
});

test("Escape puts the suggestions away, and the text goes out as it is", async () => {
  await write("/o");

  await inbox.act(() => press(field(), "Escape"));
  expect(inbox.find("[data-suggestions]")).toBeNull();
  expect(field().getAttribute("aria-activedescendant")).toBeNull();

  await inbox.act(() => press(field(), "Enter"));
  expect(conversation.messages.map(({ content }) => content.text)).toEqual(["/o"]);
  await inbox.act(() => type(field(), "/"));
  expect(inbox.find("[data-suggestions]")).not.toBeNull();
});

test("each message of the customer is said once, also the same text and several at a time", async () => {
  const { world } = inbox.server;
  world.receive(conversation, "história");
  const Said = () => {
    const { messages, phase } = useConversation(conversation.body.id);
    return <Announcer messages={messages} isReady={phase === "ready"} />;
  };
  await inbox.show(<Said />);
  const said = () => [...document.querySelectorAll("[role=log] p")].map((p) => p.textContent);
  expect(said()).toEqual([]);

  await inbox.act(() => {
    world.receive(conversation, "Oi");
    world.write(conversation, { sender_id: inbox.user.id, content: { text: "Olá" } });
    world.receive(conversation, "Oi");
  });

  const oi = pt.messageFrom(pt.contact, "Oi");
  expect(said()).toEqual([oi, oi]);
});

test.each([
  ["closing", () => <CloseButton conversation={conversation.body} />],
  ["taking", () => <AssignButton conversation={{ ...conversation.body, assigned_to: null }} />],
])("a refusal of %s a conversation is said, not only shown to a pointer", async (_what, shown) => {
  await inbox.show(shown());
  inbox.server.nextAnswers.push({ status: 409, body: { code: "conflict", retryable: false } });

  await inbox.act(() => document.querySelector("button")?.click());

  expect(inbox.find("[role=alert]")?.textContent).toBe(pt.assignConflict);
});
