import type { ConversationBody } from "@pytake/realtime";
import { Timer } from "lucide-react";
import { memo } from "react";
import { useDraft } from "../composer/drafts";
import { Avatar } from "../frame/Avatar";
import { type Person, usePeople } from "../people";
import { useServerNow } from "../server-clock";
import { useSession } from "../session/use-session";
import { Ticks } from "../thread/Ticks";
import { typingText } from "../thread/typing-text";

import { useSpeech } from "../words";
import type { Words } from "../words/pt";
import { rowTime, timeLeft } from "../words/times";
import { Marked } from "./Marked";
import { summaryOf } from "./summary";
import { useTypingIn } from "./typing-store";

const HOUR = 3_600_000;

interface Props {
  row: ConversationBody;
  isOpen: boolean;
  onOpen: (id: string) => void;
  searched?: string;
}

export const Row = memo(function Row({ row, isOpen, onOpen, searched = "" }: Props) {
  const { words, locale } = useSpeech();
  const { user } = useSession();
  const people = usePeople();
  const now = useServerNow(30_000);
  const name = row.contact.name || row.contact.phone || words.noName;
  const left = row.window_expires_at ? Date.parse(row.window_expires_at) - now : undefined;
  const closesSoon = left !== undefined && left > 0 && left < HOUR;
  const assignee = row.assigned_to ? people.byId.get(row.assigned_to) : undefined;
  return (
    <li>
      <button
        type="button"
        className={`row ${isOpen ? "is-open" : ""} ${row.unread_count > 0 ? "is-unread" : ""}`}
        aria-current={isOpen ? "true" : undefined}
        data-conversation={row.id}
        onClick={() => onOpen(row.id)}
      >
        <Avatar name={name} />
        <span className="row-head">
          <span className="row-name">
            <bdi>
              <Marked text={name} part={searched} />
            </bdi>
          </span>
          <time className="row-time" dateTime={row.updated_at}>
            {rowTime(row.last_message?.created_at ?? row.updated_at, now, locale, words)}
          </time>
        </span>
        <span className="row-body">
          <Preview
            row={row}
            userId={user.id}
            people={people.byId}
            words={words}
            searched={searched}
          />
          {closesSoon && (
            <span className="row-window" title={words.windowClosesSoon(timeLeft(left))}>
              <Timer size={14} aria-label={words.windowClosesSoon(timeLeft(left))} />
            </span>
          )}
          {assignee && assignee.id !== user.id && (
            <Avatar name={assignee.name} size="small" title={words.assignedTo(assignee.name)} />
          )}
          {row.unread_count > 0 && (
            <span className="unread">
              <span aria-hidden>{row.unread_count > 99 ? "99+" : row.unread_count}</span>
              <span className="visually-hidden">{words.unread(row.unread_count)}</span>
            </span>
          )}
        </span>
      </button>
    </li>
  );
});

function Preview(props: {
  row: ConversationBody;
  userId: string;
  people: ReadonlyMap<string, Person>;
  words: Words;
  searched: string;
}) {
  const { row, userId, people, words, searched } = props;
  const draft = useDraft(row.id);
  const typing = useTypingIn(row.id);
  const last = row.last_message;
  if (typing.length > 0) {
    const names = typing.map((id) => people.get(id)?.name.split(" ")[0]);
    return <span className="row-preview row-typing">{typingText(names, words)}</span>;
  }
  if (draft) {
    return (
      <span className="row-preview">
        <span className="row-draft">{words.draft}</span> <bdi>{draft}</bdi>
      </span>
    );
  }
  if (!last) return <span className="row-preview" />;
  const isOwn = last.direction === "outbound" && last.sender_id === userId;
  const colleague = last.sender_id ? people.get(last.sender_id)?.name.split(" ")[0] : undefined;
  const author = last.direction === "inbound" ? "" : isOwn ? words.you : (colleague ?? words.bot);
  return (
    <span className="row-preview">
      {isOwn && <Ticks hop={last.status} />}
      {author && <span className="row-author">{author}: </span>}
      <bdi>
        <Marked text={summaryOf(last, words)} part={searched} />
      </bdi>
    </span>
  );
}
