import type { MessageBody } from "@pytake/realtime";
import type { OpenConversation } from "@pytake/realtime/react";
import { memo } from "react";
import { usePeople } from "../people";
import { useSession } from "../session/use-session";
import { useNow } from "../use-now";
import { useSpeech } from "../words";
import type { Words } from "../words/pt";
import { clockTime, fullTime } from "../words/times";
import { Content } from "./content/Content";
import { Failure } from "./Failure";
import { Ticks } from "./Ticks";

const SLOW_MS = 30_000;
const MINUTE = 60_000;

interface Props {
  message: MessageBody;
  isFirst: boolean;
  isLast: boolean;
  reactions: readonly string[];
  wasRetried: boolean;
  open: OpenConversation;
  searched: string;
}

export const MessageRow = memo(
  function MessageRow(props: Props) {
    const { message, isFirst, isLast, reactions, wasRetried, open, searched } = props;
    const { words, locale } = useSpeech();
    const { user } = useSession();
    const { byId } = usePeople();
    const isOwn = message.sender_id === user.id && message.direction === "outbound";
    const side = message.direction === "inbound" ? "customer" : isOwn ? "own" : "colleague";
    const author = authorName(message, byId.get(message.sender_id ?? "")?.name, isOwn, words);
    return (
      <article
        className={`message ${side} ${isFirst ? "is-first" : ""} ${isLast ? "is-last" : ""}`}
        data-message={message.id}
        data-seq={message.seq}
        data-status={message.status}
        aria-label={author || words.contact}
      >
        {isFirst && side === "colleague" && <span className="message-author">{author}</span>}
        <div className={`bubble type-${message.message_type}`}>
          <Content message={message} searched={searched} />
          <span className="message-foot">
            <time dateTime={message.created_at} title={fullTime(message.created_at, locale)}>
              {clockTime(message.created_at, locale)}
            </time>
            {message.direction === "outbound" && <Ticks hop={message.status} />}
          </span>
        </div>
        {reactions.length > 0 && (
          <span className="reactions">
            {reactions.map((emoji) => (
              <span key={emoji}>{emoji}</span>
            ))}
          </span>
        )}
        {message.direction === "outbound" && message.status === "pending" && (
          <SlowHop message={message} />
        )}
        {(message.status === "failed" || message.error) && message.direction === "outbound" && (
          <Failure message={message} open={open} wasRetried={wasRetried} />
        )}
      </article>
    );
  },
  // What the conversation around a message does, such as typing, does not change the row.
  (a, b) =>
    a.message === b.message &&
    a.isFirst === b.isFirst &&
    a.isLast === b.isLast &&
    a.wasRetried === b.wasRetried &&
    a.searched === b.searched &&
    a.reactions.join() === b.reactions.join(),
);

function authorName(
  message: MessageBody,
  name: string | undefined,
  isOwn: boolean,
  words: Words,
): string {
  if (message.direction === "inbound") return "";
  if (isOwn) return words.you;
  return name ?? (message.sender_type === "bot" ? words.bot : words.unknownPerson);
}

/** Says so when WhatsApp takes unusually long; silent for what is hours old. */
function SlowHop({ message }: { message: MessageBody }) {
  const { words } = useSpeech();
  const now = useNow(5_000);
  const age = now - Date.parse(message.created_at);
  if (age < SLOW_MS || age > 60 * MINUTE || message.error) return null;
  return <span className="slow-hop">{words.slowConfirm(Math.floor(age / 1_000))}</span>;
}
