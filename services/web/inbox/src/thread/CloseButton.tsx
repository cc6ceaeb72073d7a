import type { ConversationBody } from "@pytake/realtime";
import { ArchiveRestore, CircleCheck } from "lucide-react";
import { useWords } from "../words";
import { useChange } from "./use-change";

export function CloseButton({ conversation }: { conversation: ConversationBody }) {
  const words = useWords();
  const { change, refusal } = useChange(conversation.id);
  const isClosed = conversation.status === "closed";
  return (
    <button
      type="button"
      className="icon-button"
      data-close
      title={refusal ?? (isClosed ? words.reopen : words.closeConversation)}
      aria-label={isClosed ? words.reopen : words.closeConversation}
      onClick={() => void change({ status: isClosed ? "open" : "closed" })}
    >
      {isClosed ? <ArchiveRestore size={18} aria-hidden /> : <CircleCheck size={18} aria-hidden />}
    </button>
  );
}
