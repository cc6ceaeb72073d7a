import type { MessageBody } from "@pytake/realtime";
import { useEffect, useRef, useState } from "react";
import { summaryOf } from "../list/summary";
import { useWords } from "../words";

/** Says each new message of the customer once to screen readers; history is not read out. */
export function Announcer({ messages }: { messages: readonly MessageBody[] }) {
  const words = useWords();
  const [said, setSaid] = useState("");
  const newest = useRef<number | undefined>(undefined);
  useEffect(() => {
    const last = messages.at(-1);
    if (!last) return;
    const before = newest.current;
    newest.current = last.seq;
    const isNews = before !== undefined && last.seq > before && last.direction === "inbound";
    if (isNews) setSaid(words.messageFrom(words.contact, summaryOf(last, words)));
  }, [messages, words]);
  return (
    <div className="visually-hidden" aria-live="polite">
      {said}
    </div>
  );
}
