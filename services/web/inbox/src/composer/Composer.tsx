import type { ConversationBody } from "@pytake/realtime";
import type { OpenConversation } from "@pytake/realtime/react";
import { useChange } from "../thread/use-change";
import { useWords } from "../words";
import { TemplatePicker } from "./TemplatePicker";
import { TextComposer } from "./TextComposer";
import { useWindow } from "./window";
import "./composer.css";

interface Props {
  open: OpenConversation;
  conversation: ConversationBody;
}

/** Where one answers: free text, a template where only that may be sent, or the way to reopen. */
export function Composer({ open, conversation }: Props) {
  const window = useWindow(conversation);
  if (conversation.status === "closed") return <Closed id={conversation.id} />;
  if (window === "closed" || window === "never") {
    return <TemplatePicker open={open} conversation={conversation} hasNever={window === "never"} />;
  }
  return <TextComposer open={open} conversation={conversation} hasWindow={window === "open"} />;
}

function Closed({ id }: { id: string }) {
  const words = useWords();
  const { change, refusal } = useChange(id);
  return (
    <div className="composer composer-closed">
      <p>{refusal ?? words.closedComposer}</p>
      <button type="button" className="button" onClick={() => void change({ status: "open" })}>
        {words.reopen}
      </button>
    </div>
  );
}
