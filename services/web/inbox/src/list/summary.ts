import type { MessageBody } from "@pytake/realtime";
import type { Words } from "../words/pt";

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A message in one line, for lists and notifications. */
export function summaryOf(
  message: Pick<MessageBody, "message_type" | "content">,
  words: Words,
): string {
  const { message_type, content } = message;
  const said = text(content.text) || text(content.caption);
  const named = (kind: string) => (said ? `${kind}: ${said}` : kind);
  switch (message_type) {
    case "text":
      return said;
    case "image":
      return named(words.image);
    case "video":
      return named(words.video);
    case "audio":
      return content.voice ? words.voice : words.audio;
    case "document":
      return text(content.filename) || words.document;
    case "sticker":
      return words.sticker;
    case "location":
      return text(content.name) ? `${words.location}: ${text(content.name)}` : words.location;
    case "contacts":
      return words.contactCard;
    case "reaction":
      return text(content.emoji) ? words.reactedWith(text(content.emoji)) : words.reactionRemoved;
    case "interactive":
      return said || words.interactive;
    case "template":
      return said || words.templateNamed(text(content.name));
    default:
      return words.unsupported;
  }
}
