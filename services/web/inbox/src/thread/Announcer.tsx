import type { MessageBody } from "@pytake/realtime";
import { useEffect, useRef, useState } from "react";
import { summaryOf } from "../list/summary";
import { useWords } from "../words";

const KEPT = 10;

interface Said {
  seq: number;
  text: string;
}

/** Says each new message of the customer once to screen readers; history is not read out. */
export function Announcer(props: { messages: readonly MessageBody[]; isReady: boolean }) {
  const words = useWords();
  const { messages, isReady } = props;
  const [said, setSaid] = useState<readonly Said[]>([]);
  const newest = useRef<number | undefined>(undefined);
  useEffect(() => {
    if (!isReady) return;
    const before = newest.current;
    newest.current = Math.max(before ?? 0, messages.at(-1)?.seq ?? 0);
    if (before === undefined || newest.current === before) return;
    const news = messages
      .slice(messages.findLastIndex(({ seq }) => seq <= before) + 1)
      .filter(({ direction }) => direction === "inbound")
      .map((message) => ({
        seq: message.seq,
        text: words.messageFrom(words.contact, summaryOf(message, words)),
      }));
    if (news.length > 0) setSaid((all) => [...all, ...news].slice(-KEPT));
  }, [messages, isReady, words]);
  return (
    <div className="visually-hidden" role="log" aria-label={words.newMessages} data-announcer>
      {said.map(({ seq, text }) => (
        <p key={seq}>{text}</p>
      ))}
    </div>
  );
}
