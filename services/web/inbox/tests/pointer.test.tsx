// @vitest-environment happy-dom
import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useDropTarget, useNoOtherDrop } from "../src/composer/use-drop-target";
import { ConversationList } from "../src/list/ConversationList";
import { type Page, page } from "./page";

let inbox: Page;

beforeEach(async () => {
  inbox = await page();
});

afterEach(() => {
  vi.useRealTimers();
  inbox.close();
});

test("rows stay under a pointer that moves, and find their places when it rests", async () => {
  const { server, user } = inbox;
  const [first, second] = ["Carla", "Rui"].map((name) =>
    server.world.addConversation(name, user.id),
  );
  if (!first || !second) throw new Error("two rows are needed");
  await inbox.pass(1_000);
  server.world.receive(first, "Oi");
  const nothing = () => {};
  await inbox.show(
    <ConversationList
      openId={undefined}
      onOpen={nothing}
      search=""
      onSearch={nothing}
      view="mine"
      onView={nothing}
      isMain={false}
    />,
  );
  const order = () => [...document.querySelectorAll(".row-name")].map((name) => name.textContent);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const move = () =>
    act(() => {
      inbox.find(".rows")?.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
    });
  expect(order()).toEqual(["Carla", "Rui"]);

  move();
  await inbox.act(() => void server.world.receive(second, "Bom dia"));
  expect(order()).toEqual(["Carla", "Rui"]);

  act(() => vi.advanceTimersByTime(2_900));
  move();
  act(() => vi.advanceTimersByTime(2_900));
  expect(order()).toEqual(["Carla", "Rui"]);

  act(() => vi.advanceTimersByTime(100));
  expect(order()).toEqual(["Rui", "Carla"]);
});

function drag(name: "dragover" | "drop", types = ["Files"]) {
  const event = new Event(name, { bubbles: true, cancelable: true });
  const dataTransfer = { types, files: [new File(["x"], "a.pdf")], dropEffect: "copy" };
  act(() => {
    document.dispatchEvent(Object.assign(event, { dataTransfer }));
  });
  return { isTaken: event.defaultPrevented, effect: dataTransfer.dropEffect };
}

test("a file that is dropped where none can be taken does not open in place of the page", async () => {
  const add = vi.fn();
  const Elsewhere = () => {
    useNoOtherDrop();
    return null;
  };
  const Composer = () => {
    useDropTarget(add);
    return null;
  };

  await inbox.show(<Elsewhere />);
  expect(drag("dragover")).toEqual({ isTaken: true, effect: "none" });
  expect(drag("drop")).toEqual({ isTaken: true, effect: "none" });
  expect(drag("dragover", ["text/plain"]).isTaken).toBe(false);

  await inbox.show([<Elsewhere key="elsewhere" />, <Composer key="composer" />]);
  expect(drag("dragover")).toEqual({ isTaken: true, effect: "copy" });
  expect(drag("drop").isTaken).toBe(true);
  expect(add).toHaveBeenCalledOnce();
});
