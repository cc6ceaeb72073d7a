import type { ConversationBody } from "@pytake/realtime";
import { useServerNow } from "../server-clock";
import { useWords } from "../words";
import { timeLeft } from "../words/times";

/** What is left of the 24 hours, live. */
export function WindowLeft({ conversation }: { conversation: ConversationBody }) {
  const words = useWords();
  const now = useServerNow(1_000);
  const { window_expires_at, channel_id } = conversation;
  if (!window_expires_at) return channel_id ? words.windowNever : words.windowNotNeeded;
  const left = Date.parse(window_expires_at) - now;
  return left > 0 ? timeLeft(left) : words.windowIsClosed;
}
