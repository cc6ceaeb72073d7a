import type { ConversationBody } from "@pytake/realtime";
import { type OpenConversation, useTyping } from "@pytake/realtime/react";
import { Paperclip, SendHorizontal, StickyNote } from "lucide-react";
import {
  type ClipboardEvent,
  type KeyboardEvent,
  type RefObject,
  useCallback,
  useEffect,
  useRef,
  useState,
} from "react";
import { usePreferences } from "../preferences";
import { useSkew } from "../server-clock";
import { useNow } from "../use-now";
import { useWords } from "../words";
import { timeLeft } from "../words/times";
import { AttachmentChips } from "./AttachmentChips";
import { useAttachments, withText } from "./attachments";
import { CannedReplies, useCanned } from "./CannedReplies";
import { draftOf, keepDraft, takeIntoComposer } from "./drafts";
import { EmojiButton } from "./EmojiButton";
import { StaleGuard } from "./StaleGuard";
import { useDropTarget } from "./use-drop-target";
import { useFieldHeight } from "./use-field-height";
import { useStaleGuard } from "./use-stale-guard";
import { closesAt } from "./window";

export const LONGEST = 4_096;
const SOON_MS = 3_600_000;

interface Props {
  open: OpenConversation;
  conversation: ConversationBody;
  hasWindow: boolean;
  /** Write to colleagues instead. */
  onNote: () => void;
}

export function TextComposer({ open, conversation, hasWindow, onNote }: Props) {
  const words = useWords();
  const { enterSends } = usePreferences();
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const { text, setText } = useDraftText(open, field);
  const files = useAttachments();
  const canned = useCanned(text);
  const guard = useStaleGuard(open, text !== "");
  const isDragged = useDropTarget(files.add);

  const pickEmoji = useCallback((emoji: string) => insert(field, emoji, setText), [setText]);

  const over = [...text].length - LONGEST;
  const canSend = (text.trim() !== "" || files.hasReady) && over <= 0 && !files.isBusy;
  const send = useCallback(
    (isAnyway = false) => {
      if (!canSend || (!isAnyway && !guard.mayPass())) return;
      for (const draft of withText(files.take(), text.trim())) {
        const isText = draft.message_type === undefined;
        open.send(isText ? { ...draft, based_on_seq: open.lastSeq } : draft);
      }
      setText("");
      guard.reset();
      field.current?.focus();
    },
    [canSend, guard, text, files, open, setText],
  );

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.nativeEvent.isComposing) return;
    if (canned.suggestions.onKeyDown(event, (reply) => setText(reply.text))) return;
    const wantsBreak = event.shiftKey || (!enterSends && !event.ctrlKey && !event.metaKey);
    if (event.key === "Enter" && !wantsBreak) {
      event.preventDefault();
      send();
    }
  };
  const onPaste = (event: ClipboardEvent) => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    files.add(event.clipboardData.files);
  };

  return (
    <form
      className={`composer ${isDragged ? "is-dragged" : ""}`}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {guard.isShown && (
        <StaleGuard
          messages={guard.messages}
          onSend={() => send(true)}
          onEdit={() => {
            guard.reset();
            field.current?.focus();
          }}
        />
      )}
      <CannedReplies canned={canned} onPick={setText} />
      <AttachmentChips files={files} />
      <div className="composer-box">
        <button
          type="button"
          className="icon-button"
          aria-label={words.attach}
          title={words.attach}
          onClick={() => picker.current?.click()}
        >
          <Paperclip size={18} aria-hidden />
        </button>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            if (event.target.files) files.add(event.target.files);
            event.target.value = "";
          }}
        />
        <textarea
          ref={field}
          rows={1}
          data-composer
          placeholder={isDragged ? words.dropHere : words.write}
          aria-label={words.write}
          aria-describedby="composer-hint"
          {...canned.suggestions.field}
          dir="auto"
          value={text}
          onChange={(event) => {
            // `@` in an empty field begins a note to colleagues.
            if (event.target.value === "@" && text === "") onNote();
            else setText(event.target.value);
          }}
          onKeyDown={onKeyDown}
          onPaste={onPaste}
        />
        <button
          type="button"
          className="icon-button"
          data-write-note
          aria-label={words.writeNote}
          title={words.writeNote}
          onClick={onNote}
        >
          <StickyNote size={18} aria-hidden />
        </button>
        <EmojiButton onPick={pickEmoji} />
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
        {hasWindow && <WindowCountdown expiresAt={conversation.window_expires_at ?? ""} />}
      </p>
    </form>
  );
}

/** The text of the draft: kept at each key, and told to others as typing. */
function useDraftText(open: OpenConversation, field: RefObject<HTMLTextAreaElement | null>) {
  const { id } = open;
  const typing = useTyping(id);
  const [text, set] = useState(() => draftOf(id));
  const { key, stop } = typing;
  const setText = useCallback(
    (value: string) => {
      set(value);
      keepDraft(id, value);
      if (value) key();
      else stop();
    },
    [id, key, stop],
  );
  useFieldHeight(field, text);
  useEffect(
    () =>
      takeIntoComposer(id, (taken) => {
        setText(taken);
        field.current?.focus();
      }),
    [id, setText, field],
  );
  return { text, setText };
}

function insert(
  field: RefObject<HTMLTextAreaElement | null>,
  piece: string,
  setText: (text: string) => void,
) {
  const { current } = field;
  if (!current) return;
  const { selectionStart, selectionEnd, value } = current;
  setText(value.slice(0, selectionStart) + piece + value.slice(selectionEnd));
  const at = selectionStart + piece.length;
  requestAnimationFrame(() => {
    current.focus();
    current.setSelectionRange(at, at);
  });
}

function WindowCountdown({ expiresAt }: { expiresAt: string }) {
  const words = useWords();
  const skew = useSkew();
  const left = closesAt(expiresAt) - Date.now() - skew;
  useNow(left < SOON_MS ? 1_000 : 30_000);
  return (
    <span className={left < SOON_MS ? "window-soon" : ""}>
      {words.windowOpenFor(timeLeft(left))}
    </span>
  );
}
