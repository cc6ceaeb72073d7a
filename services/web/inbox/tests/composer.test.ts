// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { messageTypeOf } from "../src/composer/attachments";
import { cannedFor } from "../src/composer/CannedReplies";
import {
  fieldsOf,
  greetingName,
  previewOf,
  type Template,
  templateDraft,
  usable,
} from "../src/composer/templates";
import { windowOf } from "../src/composer/window";

const TEMPLATE: Template = {
  channel_id: "number",
  name: "pedido_pronto",
  language: "pt_BR",
  status: "APPROVED",
  category: "UTILITY",
  components: [{ type: "BODY", text: "Olá {{1}}, o pedido {{2}} está pronto, {{1}}." }],
};

test("a template names its fields once each and shows them filled in", () => {
  expect(fieldsOf(TEMPLATE)).toEqual(["1", "2"]);
  expect(previewOf(TEMPLATE, { 1: "Ana" }, () => "…")).toBe(
    "Olá Ana, o pedido … está pronto, Ana.",
  );
});

test("a filled template becomes what WhatsApp expects, with its text for our own thread", () => {
  const { message_type, content } = templateDraft(TEMPLATE, { 1: "Ana", 2: "10" });

  expect(message_type).toBe("template");
  expect(content).toMatchObject({
    name: "pedido_pronto",
    language: "pt_BR",
    components: [{ type: "body", parameters: [{ text: "Ana" }, { text: "10" }] }],
    text: "Olá Ana, o pedido 10 está pronto, Ana.",
  });
});

test("only approved templates of the conversation's number are offered", () => {
  const paused = { ...TEMPLATE, status: "PAUSED" };

  expect(usable([TEMPLATE, paused], "number")).toEqual([TEMPLATE]);
  expect(usable([TEMPLATE], "another number")).toEqual([]);
});

test.each([
  ["Juliana Prado", "Juliana"],
  ["Dona Lúcia", "Dona Lúcia"],
  ["Dr. Silva", "Dr. Silva"],
])("%s is greeted as %s", (name, greeting) => {
  expect(greetingName(name)).toBe(greeting);
});

const NOON = Date.parse("2026-11-22T12:00:00.000Z");

test.each([
  ["2026-11-22T12:01:00.001Z", "number", "open"],
  ["2026-11-22T12:01:00.000Z", "number", "closed"],
  [null, "number", "never"],
  [null, null, "free"],
])("a window until %s on channel %s is %s at noon", (window_expires_at, channel_id, state) => {
  expect(windowOf({ window_expires_at, channel_id }, NOON)).toBe(state);
});

const REPLIES = [
  { shortcut: "oi", text: "Olá!" },
  { shortcut: "obrigado", text: "Obrigado!" },
];

test.each([
  ["/", ["oi", "obrigado"]],
  ["/ob", ["obrigado"]],
  ["/x", []],
  ["oi /", undefined],
  ["/oi tudo", undefined],
])("%s asks for %j", (text, shortcuts) => {
  expect(cannedFor(text, REPLIES)?.map((reply) => reply.shortcut)).toEqual(shortcuts);
});

test.each([
  ["image/png", "image"],
  ["image/svg+xml", "document"],
  ["video/mp4", "video"],
  ["audio/ogg", "audio"],
  ["application/pdf", "document"],
  ["", "document"],
])("a file of type %s is sent as %s", (mime, type) => {
  expect(messageTypeOf(mime)).toBe(type);
});
