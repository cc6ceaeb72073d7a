import { type OpenConversation, useConversation } from "@pytake/realtime/react";
import { CircleAlert, UserRoundX } from "lucide-react";
import { memo } from "react";
import { Composer } from "../composer/Composer";
import type { DetailsSwitch } from "../frame/use-details";
import { usePeople } from "../people";
import { usePart } from "../use-part";
import { refusalOf, useWords } from "../words";
import { Announcer } from "./Announcer";
import { MessageList } from "./MessageList";
import { ThreadHead } from "./ThreadHead";
import { typingText } from "./typing-text";
import "./thread.css";

interface Props {
  id: string;
  searched: string;
  details: DetailsSwitch;
}

export function Thread({ id, searched, details }: Props) {
  const open = useConversation(id);
  if (open.phase === "gone") return <Gone />;
  if (open.phase === "failed") return <Failed open={open} />;
  return (
    <>
      <ThreadHead open={open} details={details} />
      <MessageList open={open} searched={searched} />
      <TypingLine id={id} />
      {open.conversation && <Composer open={open} conversation={open.conversation} />}
      <Announcer messages={open.messages} isReady={open.phase === "ready"} />
    </>
  );
}

const TypingLine = memo(function TypingLine({ id }: { id: string }) {
  const words = useWords();
  const { byId } = usePeople();
  const users = usePart(id, ({ typing }) => typing.join());
  const names = (users ? users.split(",") : []).map((user) => byId.get(user)?.name.split(" ")[0]);
  return (
    <div className="typing-line" role="status" data-typing>
      {typingText(names, words)}
    </div>
  );
});

function Gone() {
  const words = useWords();
  return (
    <div className="empty">
      <UserRoundX size={32} aria-hidden />
      <h2>{words.gone}</h2>
      <p>{words.goneHint}</p>
    </div>
  );
}

function Failed({ open }: { open: OpenConversation }) {
  const words = useWords();
  const [what, next] = refusalOf(words, open.error?.code ?? "internal");
  return (
    <div className="empty" role="alert">
      <CircleAlert size={32} aria-hidden />
      <h2>{words.threadFailed}</h2>
      <p>
        {what} {next}
      </p>
      <button type="button" className="button" onClick={open.retry}>
        {words.retry}
      </button>
      {open.error?.traceId && <p className="note-line">{words.traceId(open.error.traceId)}</p>}
    </div>
  );
}
