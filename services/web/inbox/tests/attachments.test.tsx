// @vitest-environment happy-dom
import type { Draft } from "@pytake/realtime";
import { useConversation } from "@pytake/realtime/react";
import type { FakeConversation } from "@pytake/realtime/testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { withText } from "../src/composer/attachments";
import { TextComposer } from "../src/composer/TextComposer";
import { pt } from "../src/words/pt";
import { type Page, page, press, type } from "./page";

const PHOTO: Draft = { message_type: "image", content: { media_id: "photo" } };
const VOICE: Draft = { message_type: "audio", content: { media_id: "voice" } };
const FILE: Draft = { message_type: "document", content: { media_id: "file" } };

function asSaid(drafts: readonly Draft[]): string[] {
  return drafts.map(({ content }) =>
    content.text ? `"${content.text}"` : `${content.media_id} ${content.caption ?? ""}`.trim(),
  );
}

test.each([
  ["one picture", [PHOTO], "veja", ["photo veja"]],
  ["a voice message", [VOICE], "veja", ['"veja"', "voice"]],
  ["a voice message and a document", [VOICE, FILE], "veja", ["voice", "file veja"]],
  ["two pictures", [PHOTO, FILE], "veja", ["photo veja", "file"]],
  ["a picture alone", [PHOTO], "", ["photo"]],
  ["no file", [], "veja", ['"veja"']],
])("%s with a text: nothing of the text is lost", (_what, files, text, said) => {
  expect(asSaid(withText(files, text))).toEqual(said);
});

test("a text that is too long for a caption goes before the picture", () => {
  expect(asSaid(withText([PHOTO], "á".repeat(1_024)))).toEqual([`photo ${"á".repeat(1_024)}`]);
  expect(asSaid(withText([PHOTO], "á".repeat(1_025)))).toEqual([`"${"á".repeat(1_025)}"`, "photo"]);
});

/** An upload that a test ends as it likes. */
class Upload {
  static all: Upload[] = [];
  upload: { onprogress?: unknown } = {};
  status = 0;
  response: unknown;
  onload: () => void = () => {};
  onerror: () => void = () => {};
  constructor() {
    Upload.all.push(this);
  }
  open() {}
  setRequestHeader() {}
  send() {}
  abort() {}
  answer(status: number, response: unknown = {}) {
    Object.assign(this, { status, response });
    this.onload();
  }
}

let inbox: Page;
let conversation: FakeConversation;

function Answer() {
  const open = useConversation(conversation.body.id);
  return <TextComposer open={open} conversation={conversation.body} hasWindow onNote={() => {}} />;
}

beforeEach(async () => {
  localStorage.clear();
  Upload.all = [];
  vi.stubGlobal("XMLHttpRequest", Upload);
  inbox = await page();
  conversation = inbox.server.world.addConversation("Carla", inbox.user.id);
});

afterEach(() => {
  inbox.close();
  vi.unstubAllGlobals();
});

test("a file that failed keeps its chip when the others are sent", async () => {
  await inbox.show(<Answer />);
  const drop = new Event("drop", { bubbles: true, cancelable: true });
  const files = ["ruim.pdf", "boa.pdf"].map(
    (name) => new File(["x"], name, { type: "application/pdf" }),
  );
  await inbox.act(() => {
    document.dispatchEvent(Object.assign(drop, { dataTransfer: { files } }));
  });
  await inbox.act(() => {
    Upload.all[0]?.answer(413);
    Upload.all[1]?.answer(201, { id: "media" });
  });
  const field = inbox.find<HTMLTextAreaElement>("[data-composer]") as HTMLTextAreaElement;
  await inbox.act(() => type(field, "segue"));

  await inbox.act(() => press(field, "Enter"));

  expect(conversation.messages.map(({ content }) => content)).toMatchObject([
    { media_id: "media", filename: "boa.pdf", caption: "segue" },
  ]);
  expect(document.querySelectorAll(".chip")).toHaveLength(1);
  expect(inbox.find(".chip")?.textContent).toContain(pt.uploadFailed("ruim.pdf"));
});
