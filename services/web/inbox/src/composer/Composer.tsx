import type { ConversationBody } from "@pytake/realtime";
import { type OpenConversation, useTyping } from "@pytake/realtime/react";
import { SendHorizontal } from "lucide-react";
import { type KeyboardEvent, useCallback, useLayoutEffect, useRef, useState } from "react";
import { usePreferences } from "../preferences";
import { useWords } from "../words";
import { draftOf, keepDraft } from "./drafts";
import "./composer.css";

const LONGEST = 4_096;
const MOST_LINES_PX = 8 * 20 + 20;

interface Props {
  open: OpenConversation;
  conversation: ConversationBody;
}

export function Composer({ open }: Props) {
  return <TextComposer open={open} />;
}

function TextComposer({ open }: { open: OpenConversation }) {
  const words = useWords();
  const { enterSends } = usePreferences();
  const typing = useTyping(open.id);
  const [text, setText] = useState(() => draftOf(open.id));
  const field = useRef<HTMLTextAreaElement>(null);
  useGrowing(field, text);

  const change = (value: string) => {
    setText(value);
    keepDraft(open.id, value);
    if (value) typing.key();
    else typing.stop();
  };
  const over = [...text].length - LONGEST;
  const canSend = text.trim() !== "" && over <= 0;
  const send = useCallback(() => {
    if (!canSend) return;
    open.send({ content: { text: text.trim() } });
    setText("");
    keepDraft(open.id, "");
  }, [canSend, open, text]);
  const onKeyDown = (event: KeyboardEvent) => {
    const wantsBreak = event.shiftKey || (!enterSends && !event.ctrlKey && !event.metaKey);
    if (event.key !== "Enter" || wantsBreak || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div className="composer-box">
        <textarea
          ref={field}
          rows={1}
          data-composer
          placeholder={words.write}
          aria-label={words.write}
          aria-describedby="composer-hint"
          dir="auto"
          value={text}
          onChange={(event) => change(event.target.value)}
          onKeyDown={onKeyDown}
          onBlur={typing.stop}
        />
        <button
          type="submit"
          className="icon-button composer-send"
          aria-label={words.send}
          disabled={!canSend}
        >
          <SendHorizontal size={18} aria-hidden />
        </button>
      </div>
      <p className="composer-foot" id="composer-hint">
        {over > 0 ? <span className="composer-over">{words.tooLong(over)}</span> : words.sendHint}
      </p>
    </form>
  );
}

function useGrowing(field: React.RefObject<HTMLTextAreaElement | null>, text: string) {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    const { current } = field;
    if (!current) return;
    current.style.height = "auto";
    current.style.height = `${Math.min(current.scrollHeight, MOST_LINES_PX)}px`;
  }, [field, text]);
}
