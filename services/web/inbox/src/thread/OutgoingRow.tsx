import type { OutboxItem } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { editAgain } from "../composer/drafts";
import { focusTemplates, needsTemplate } from "../composer/templates";
import { useNow } from "../use-now";
import { refusalOf, useSpeech } from "../words";
import { clockTime } from "../words/times";
import { Content } from "./content/Content";
import { Ticks } from "./Ticks";

const SLOW_MS = 8_000;

/** A message that the server has not taken yet, or has refused. */
export function OutgoingRow({ item, isFirst }: { item: OutboxItem; isFirst: boolean }) {
  const { words, locale } = useSpeech();
  const { outbox } = useClient();
  const isWaiting = item.state === "waiting";
  const now = useNow(1_000, isWaiting);
  const age = now - Date.parse(item.created_at);
  const [what, next] = refusalOf(words, item.error?.code ?? "internal");
  const id = item.client_message_id;
  const text = typeof item.content.text === "string" ? item.content.text : undefined;
  const isStale = item.error?.code === "stale_view";
  const editText = () => {
    outbox.discard(id);
    editAgain(item.conversation_id, text ?? "");
  };
  return (
    <article
      className={`message own is-outgoing is-last ${isFirst ? "is-first" : ""}`}
      data-outgoing={id}
      aria-label={words.you}
    >
      <div className={`bubble type-${item.message_type}`}>
        <Content message={item} searched="" />
        <span className="message-foot">
          <time dateTime={item.created_at}>{clockTime(item.created_at, locale)}</time>
          <Ticks hop={isWaiting ? "waiting" : "failed"} />
        </span>
      </div>
      {isWaiting && age > SLOW_MS && (
        <span className="slow-hop">{words.slowSend(Math.floor(age / 1_000))}</span>
      )}
      {!isWaiting && (
        <p className="failure">
          <span>
            {what} {next}
          </span>
          {needsTemplate(item.error?.code) ? (
            <button type="button" className="link-button" onClick={focusTemplates}>
              {words.useTemplate}
            </button>
          ) : (
            <button type="button" className="link-button" onClick={() => outbox.retry(id)}>
              {isStale ? words.sendAnyway : words.sendAgain}
            </button>
          )}
          {text && (
            <button type="button" className="link-button" onClick={editText}>
              {words.edit}
            </button>
          )}
          <button type="button" className="link-button" onClick={() => outbox.discard(id)}>
            {words.discard}
          </button>
          {item.error?.trace_id && (
            <span className="note-line">{words.traceId(item.error.trace_id)}</span>
          )}
        </p>
      )}
    </article>
  );
}
