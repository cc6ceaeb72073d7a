import type { ConversationBody } from "@pytake/realtime";
import { useEffect, useState } from "react";
import { useSkew } from "../server-clock";

const DAY = 86_400_000;
/** What is taken later could reach WhatsApp after the end: the server refuses it (docs/whatsapp.md). */
const MARGIN_MS = 60_000;

/** Until when free text is taken. */
export function closesAt(window_expires_at: string): number {
  return Date.parse(window_expires_at) - MARGIN_MS;
}

/** "free": no channel, so no window applies. "never": the customer has not written yet. */
export type WindowState = "free" | "open" | "closed" | "never";

export function windowOf(
  { window_expires_at, channel_id }: Pick<ConversationBody, "window_expires_at" | "channel_id">,
  now: number,
): WindowState {
  if (!window_expires_at) return channel_id ? "never" : "free";
  return closesAt(window_expires_at) > now ? "open" : "closed";
}

/** The state of the 24 hours by the server's clock, changing in the second in which it does. */
export function useWindow(conversation: ConversationBody): WindowState {
  const [, setTurn] = useState(0);
  const { window_expires_at } = conversation;
  const skew = useSkew();
  useEffect(() => {
    if (!window_expires_at) return;
    const left = closesAt(window_expires_at) - Date.now() - skew;
    if (left <= 0 || left > 2 * DAY) return;
    const timer = setTimeout(() => setTurn((turn) => turn + 1), left + 20);
    return () => clearTimeout(timer);
  }, [window_expires_at, skew]);
  return windowOf(conversation, Date.now() + skew);
}
