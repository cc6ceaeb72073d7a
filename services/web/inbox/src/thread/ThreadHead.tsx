import type { OpenConversation } from "@pytake/realtime/react";
import { ArrowLeft, PanelRightClose, PanelRightOpen } from "lucide-react";
import { Link } from "wouter";
import { Avatar } from "../frame/Avatar";
import type { DetailsSwitch } from "../frame/use-details";
import { useHome, useSession } from "../session/use-session";
import { useWords } from "../words";
import { AssignButton } from "./AssignButton";
import { CloseButton } from "./CloseButton";

export function ThreadHead(props: { open: OpenConversation; details: DetailsSwitch }) {
  const words = useWords();
  const home = useHome();
  const { open, details } = props;
  const { conversation } = open;
  const name = conversation?.contact.name || conversation?.contact.phone || "";
  return (
    <header className="thread-head">
      <Link
        href={`${home}/conversations`}
        className="icon-button thread-back"
        aria-label={words.back}
      >
        <ArrowLeft size={18} aria-hidden />
      </Link>
      <Avatar name={name} size="small" />
      <h1 className="thread-name" dir="auto">
        {name || <span className="skeleton thread-name-skeleton" />}
      </h1>
      <Viewers open={open} />
      {conversation && (
        <>
          <AssignButton conversation={conversation} />
          <CloseButton conversation={conversation} />
        </>
      )}
      <button
        type="button"
        className="icon-button"
        aria-label={details.isOpen ? words.hideDetails : words.showDetails}
        aria-pressed={details.isOpen}
        onClick={details.toggle}
      >
        {details.isOpen ? (
          <PanelRightClose size={18} aria-hidden />
        ) : (
          <PanelRightOpen size={18} aria-hidden />
        )}
      </button>
    </header>
  );
}

function Viewers({ open }: { open: OpenConversation }) {
  const words = useWords();
  const { user } = useSession();
  const others = open.viewers.filter((viewer) => viewer.user_id !== user.id);
  if (others.length === 0) return null;
  const writes = new Set(open.typing);
  return (
    <ul className="viewers" aria-label={words.viewers(others.length)} data-viewers>
      {others.slice(0, 4).map((viewer) => (
        <li key={viewer.user_id} className={writes.has(viewer.user_id) ? "is-writing" : ""}>
          <Avatar
            name={viewer.name}
            size="small"
            title={writes.has(viewer.user_id) ? words.isWriting(viewer.name) : viewer.name}
          />
        </li>
      ))}
      {others.length > 4 && <li className="viewers-more">+{others.length - 4}</li>}
    </ul>
  );
}
