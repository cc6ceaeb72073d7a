import type { ConversationBody } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { useEffect, useState } from "react";
import { summaryOf } from "../list/summary";
import { useNow } from "../use-now";
import { useSpeech } from "../words";
import { rowTime } from "../words/times";

/** What else was said with the same contact, perhaps on another channel. */
export function OtherConversations(props: {
  conversation: ConversationBody;
  onOpen: (id: string) => void;
}) {
  const { words, locale } = useSpeech();
  const { inbox } = useClient();
  const now = useNow(60_000);
  const { id, contact } = props.conversation;
  const [others, setOthers] = useState<readonly ConversationBody[]>([]);
  const { phone } = contact;
  useEffect(() => {
    if (!phone) return;
    let isHere = true;
    inbox
      .search({ q: phone })
      .then(({ items }) => isHere && setOthers(items.filter((row) => row.contact.phone === phone)))
      .catch(() => undefined);
    return () => {
      isHere = false;
    };
  }, [inbox, phone]);
  const shown = others.filter((row) => row.id !== id);
  return (
    <section className="details-section">
      <h3>{words.otherConversations}</h3>
      {shown.length === 0 && <p className="note-line">{words.noOthers}</p>}
      <ul>
        {shown.map((row) => (
          <li key={row.id}>
            <button type="button" className="other" onClick={() => props.onOpen(row.id)}>
              <span>
                {row.last_message ? summaryOf(row.last_message, words) : row.contact.name}
              </span>
              <time dateTime={row.updated_at}>{rowTime(row.updated_at, now, locale, words)}</time>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
