import type { ConversationBody } from "@pytake/realtime";
import { ArchiveRestore, CircleCheck } from "lucide-react";
import { useWords } from "../words";
import { Refusal } from "./Refusal";
import { useChange } from "./use-change";

export function CloseButton({ conversation }: { conversation: ConversationBody }) {
  const words = useWords();
  const { change, refusal } = useChange(conversation.id);
  const isClosed = conversation.status === "closed";
  const label = isClosed ? words.reopen : words.closeConversation;
  return (
    <>
      <button
        type="button"
        className="icon-button"
        data-close
        title={label}
        aria-label={label}
        onClick={() => void change({ status: isClosed ? "open" : "closed" })}
      >
        {isClosed ? (
          <ArchiveRestore size={18} aria-hidden />
        ) : (
          <CircleCheck size={18} aria-hidden />
        )}
      </button>
      <Refusal text={refusal} />
    </>
  );
}
