import type { ConversationBody } from "@pytake/realtime";
import type { OpenConversation } from "@pytake/realtime/react";
import { useState } from "react";
import { flushSync } from "react-dom";
import { useChange } from "../thread/use-change";
import { useWords } from "../words";
import { NoteComposer } from "./NoteComposer";
import { NoteLink } from "./NoteLink";
import { TemplatePicker } from "./TemplatePicker";
import { TextComposer } from "./TextComposer";
import { useWindow } from "./window";
import "./composer.css";

interface Props {
  open: OpenConversation;
  conversation: ConversationBody;
}

/** Where one answers: free text, a template where only that may be sent, or the way to reopen;
 * and from each of them the way to write a note. */
export function Composer({ open, conversation }: Props) {
  const window = useWindow(conversation);
  const [isNote, setNote] = useState(false);
  const onNote = () => setNote(true);
  const leaveNote = () => {
    // At once: a window in the background is given no frame to wait for.
    flushSync(() => setNote(false));
    document.querySelector<HTMLElement>("[data-composer], [data-write-note]")?.focus();
  };
  if (isNote) return <NoteComposer open={open} onLeave={leaveNote} />;
  if (conversation.status === "closed") return <Closed id={conversation.id} onNote={onNote} />;
  if (window === "closed" || window === "never") {
    return (
      <TemplatePicker
        open={open}
        conversation={conversation}
        hasNever={window === "never"}
        onNote={onNote}
      />
    );
  }
  return (
    <TextComposer
      open={open}
      conversation={conversation}
      hasWindow={window === "open"}
      onNote={onNote}
    />
  );
}

function Closed({ id, onNote }: { id: string; onNote: () => void }) {
  const words = useWords();
  const { change, refusal } = useChange(id);
  return (
    <div className="composer composer-closed">
      <p>{refusal ?? words.closedComposer}</p>
      <button type="button" className="button" onClick={() => void change({ status: "open" })}>
        {words.reopen}
      </button>
      <NoteLink onNote={onNote} />
    </div>
  );
}
