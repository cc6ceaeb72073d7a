import type { MessageBody } from "@pytake/realtime";
import { TriangleAlert } from "lucide-react";
import { useEffect, useRef } from "react";
import { summaryOf } from "../list/summary";
import { usePeople } from "../people";
import { useSpeech } from "../words";
import { clockTime } from "../words/times";

/** Somebody answered while the draft was open: look, then send or edit. */
export function StaleGuard(props: {
  messages: readonly MessageBody[];
  onSend: () => void;
  onEdit: () => void;
}) {
  const { words, locale } = useSpeech();
  const { byId } = usePeople();
  const edit = useRef<HTMLButtonElement>(null);
  useEffect(() => edit.current?.focus(), []);
  return (
    <section className="stale-guard" aria-label={words.staleTitle} role="alert" data-stale-guard>
      <h2>
        <TriangleAlert size={16} aria-hidden />
        {words.staleTitle}
      </h2>
      <ul>
        {props.messages.slice(-3).map((message) => (
          <li key={message.id}>
            <strong>{byId.get(message.sender_id ?? "")?.name ?? words.unknownPerson}</strong>{" "}
            <time dateTime={message.created_at}>{clockTime(message.created_at, locale)}</time>
            <p dir="auto">{summaryOf(message, words)}</p>
          </li>
        ))}
      </ul>
      <div className="stale-actions">
        <button ref={edit} type="button" className="button" onClick={props.onEdit}>
          {words.edit}
        </button>
        <button type="button" className="button primary" onClick={props.onSend}>
          {words.sendAnyway}
        </button>
      </div>
    </section>
  );
}
