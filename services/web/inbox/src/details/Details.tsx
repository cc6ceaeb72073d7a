import type { ConversationBody } from "@pytake/realtime";
import { X } from "lucide-react";
import { Avatar } from "../frame/Avatar";
import { usePeople } from "../people";
import { usePart } from "../use-part";
import { useSpeech } from "../words";
import { phoneText } from "../words/phone";
import { fullTime } from "../words/times";
import { ChannelName } from "./ChannelName";
import { Labels } from "./Labels";
import { Notes } from "./Notes";
import { OtherConversations } from "./OtherConversations";
import { WindowLeft } from "./WindowLeft";
import "./details.css";

interface Props {
  id: string;
  onOpen: (id: string) => void;
  onClose: () => void;
}

export function Details({ id, onOpen, onClose }: Props) {
  const { words } = useSpeech();
  const conversation = usePart(id, (open) => open.conversation);
  const notes = usePart(id, (open) => open.notes);
  return (
    <aside className="details-pane" aria-label={words.details}>
      <header className="details-head">
        <h2>{words.details}</h2>
        <button
          type="button"
          className="icon-button"
          aria-label={words.hideDetails}
          onClick={onClose}
        >
          <X size={16} aria-hidden />
        </button>
      </header>
      {conversation && (
        <div className="details-body">
          <Facts conversation={conversation} />
          <Labels conversation={conversation} />
          <Notes notes={notes} />
          <OtherConversations conversation={conversation} onOpen={onOpen} />
        </div>
      )}
    </aside>
  );
}

function Facts({ conversation }: { conversation: ConversationBody }) {
  const { words, locale } = useSpeech();
  const people = usePeople();
  const { contact, assigned_to, status, created_at } = conversation;
  const assignee = assigned_to ? people.byId.get(assigned_to)?.name : undefined;
  return (
    <>
      <div className="details-contact">
        <Avatar name={contact.name || "?"} size="large" />
        <strong dir="auto">{contact.name || words.noName}</strong>
        <span>{contact.phone ? phoneText(contact.phone) : words.hiddenPhone}</span>
      </div>
      <dl className="facts">
        <dt>{words.assignee}</dt>
        <dd>{assignee ?? (assigned_to ? words.unknownPerson : words.nobody)}</dd>
        <dt>{words.status}</dt>
        <dd>{status === "open" ? words.open : words.closed}</dd>
        <dt>{words.channel}</dt>
        <dd>
          <ChannelName id={conversation.channel_id} />
        </dd>
        <dt>{words.window24}</dt>
        <dd>
          <WindowLeft conversation={conversation} />
        </dd>
        {contact.marketing_opt_out_at && (
          <>
            <dt>{words.optedOut}</dt>
            <dd>{words.optedOutSince(fullTime(contact.marketing_opt_out_at, locale))}</dd>
          </>
        )}
        <dt>{words.startedAt}</dt>
        <dd>{fullTime(created_at, locale)}</dd>
      </dl>
    </>
  );
}
