// @vitest-environment happy-dom

import { useConversation } from "@pytake/realtime/react";
import type { FakeConversation } from "@pytake/realtime/testing";
import type { ReactVirtualizerOptions } from "@tanstack/react-virtual";
import { Profiler } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Details } from "../src/details/Details";
import { TypingProvider, useTypingIn } from "../src/list/typing-store";
import { MessageList } from "../src/thread/MessageList";
import { useNow } from "../src/use-now";
import { type Page, page } from "./page";

const keys = vi.hoisted(() => new Set<unknown>());

vi.mock("@tanstack/react-virtual", async (original) => {
  const real = await original<typeof import("@tanstack/react-virtual")>();
  const useVirtualizer = (options: ReactVirtualizerOptions<HTMLElement, HTMLElement>) => {
    keys.add(options.getItemKey);
    return real.useVirtualizer(options);
  };
  return { ...real, useVirtualizer };
});

let inbox: Page;
let conversation: FakeConversation;
let other: FakeConversation;

beforeEach(async () => {
  inbox = await page();
  conversation = inbox.server.world.addConversation("Carla", inbox.user.id);
  other = inbox.server.world.addConversation("Rui", inbox.user.id);
  inbox.server.world.receive(conversation, "Oi");
});

afterEach(() => inbox.close());

function typing({ body }: FakeConversation, isTyping: boolean): void {
  for (const connection of inbox.server.connections) {
    connection.say("user_typing", {
      conversation_id: body.id,
      user_id: "bruno",
      typing: isTyping,
    });
  }
}

test("what changes nothing in the history has none of its keys read", async () => {
  const History = () => <MessageList open={useConversation(conversation.body.id)} searched="" />;
  await inbox.show(<History />);
  keys.clear();

  await inbox.act(() => typing(conversation, true));
  await inbox.act(() => typing(conversation, false));

  expect(keys.size).toBe(1);
});

test("who types in a conversation draws the row of that one alone", async () => {
  const drawn = vi.fn();
  const Row = ({ id }: { id: string }) => {
    drawn(id);
    return <p>{useTypingIn(id).join()}</p>;
  };
  await inbox.show(
    <TypingProvider>
      <Row id={conversation.body.id} />
      <Row id={other.body.id} />
    </TypingProvider>,
  );
  drawn.mockClear();

  await inbox.act(() => typing(other, true));
  await inbox.act(() => typing(other, true));

  expect(drawn.mock.calls).toEqual([[other.body.id]]);
  expect(document.querySelectorAll("p")[1]?.textContent).toBe("bruno");
});

test("the details are not drawn again for who types", async () => {
  const drawn = vi.fn();
  await inbox.show(
    <Profiler id="details" onRender={drawn}>
      <Details id={conversation.body.id} onOpen={() => {}} onClose={() => {}} />
    </Profiler>,
  );
  await inbox.pass(1_000);
  drawn.mockClear();

  await inbox.act(() => typing(conversation, true));

  expect(inbox.client.peek(conversation.body.id).snapshot().typing).toEqual(["bruno"]);
  expect(drawn).not.toHaveBeenCalled();
});

test("a hundred rows take one timer", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"] });
  const Row = () => <time>{useNow(30_000)}</time>;
  const before = vi.getTimerCount();
  await inbox.show(Array.from({ length: 100 }, (_, index) => <Row key={String(index)} />));

  expect(vi.getTimerCount() - before).toBe(1);
  const shown = () => Number(document.querySelector("time")?.textContent);
  const first = shown();
  await inbox.act(() => vi.advanceTimersByTime(30_000));
  expect(shown()).toBe(first + 30_000);

  await inbox.show(null);
  expect(vi.getTimerCount()).toBe(before);
  vi.useRealTimers();
});
