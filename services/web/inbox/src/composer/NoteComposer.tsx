import { RealtimeError } from "@pytake/realtime";
import type { OpenConversation } from "@pytake/realtime/react";
import { Check, StickyNote, X } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Avatar } from "../frame/Avatar";
import { type Person, usePeople } from "../people";
import { useSession } from "../session/use-session";
import { mentionBefore } from "../thread/mentions";
import { refusalOf, useWords } from "../words";
import { draftOf, keepDraft } from "./drafts";
import { Suggestions, useSuggestions } from "./Suggestions";
import { useFieldHeight } from "./use-field-height";

/** Where one writes to colleagues; it looks like nothing that a customer could get. */
export function NoteComposer({ open, onLeave }: { open: OpenConversation; onLeave: () => void }) {
  const words = useWords();
  const field = useRef<HTMLTextAreaElement>(null);
  const key = `note.${open.id}`;
  const [text, set] = useState(() => draftOf(key));
  const [isSending, setSending] = useState(false);
  const [refusal, setRefusal] = useState("");
  useFieldHeight(field, text);
  const setText = (value: string) => {
    set(value);
    keepDraft(key, value);
  };
  const mentions = useMentions(text, field);
  useEffect(() => {
    const { current } = field;
    current?.focus();
    current?.setSelectionRange(current.value.length, current.value.length);
  }, []);

  const save = async () => {
    if (!text.trim() || isSending) return;
    setSending(true);
    setRefusal("");
    try {
      await open.addNote(text.trim());
      setText("");
      onLeave();
    } catch (error) {
      setRefusal(refusalOf(words, RealtimeError.of(error).code).join(" "));
      setSending(false);
    }
  };
  const mention = ({ name }: Person) => {
    const { start, end } = mentions.place;
    setText(`${text.slice(0, start)}@${name} ${text.slice(end)}`);
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing || mentions.suggestions.onKeyDown(event, mention)) return;
    if (event.key === "Escape") onLeave();
    if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) {
      event.preventDefault();
      event.stopPropagation();
    }
    if (event.key === "Enter" && !event.shiftKey) void save();
  };
  return (
    <form
      className="composer is-note"
      data-note-composer
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <Suggestions
        label={words.colleagues}
        suggestions={mentions.suggestions}
        keyOf={({ id }) => id}
        onPick={mention}
        item={({ name }) => (
          <>
            <Avatar name={name} size="small" />
            <span>{name}</span>
          </>
        )}
      />
      <div className="composer-box">
        <StickyNote className="composer-note-icon" size={18} aria-hidden />
        <textarea
          ref={field}
          rows={1}
          maxLength={4096}
          placeholder={words.writeNote}
          aria-label={words.writeNote}
          aria-describedby="note-hint"
          {...mentions.suggestions.field}
          dir="auto"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
        />
        <button type="button" className="icon-button" aria-label={words.cancel} onClick={onLeave}>
          <X size={18} aria-hidden />
        </button>
        <button
          type="submit"
          className="icon-button composer-send"
          aria-label={words.saveNote}
          disabled={!text.trim() || isSending}
        >
          <Check size={18} aria-hidden />
        </button>
      </div>
      <p className="composer-foot" id="note-hint">
        {refusal ? (
          <span className="composer-over" role="alert">
            {refusal}
          </span>
        ) : (
          words.noteHint
        )}
      </p>
    </form>
  );
}

/** Colleagues whose name begins with what stands after the `@` at the caret. */
function useMentions(text: string, field: { current: HTMLTextAreaElement | null }) {
  const { user } = useSession();
  const { all } = usePeople();
  const end = field.current?.selectionStart ?? text.length;
  const asked = mentionBefore(text, Math.min(end, text.length));
  const wanted = asked?.asked.toLocaleLowerCase();
  const found =
    wanted === undefined
      ? []
      : all.filter(
          ({ id, name, role, active }) =>
            id !== user.id &&
            role !== "bot" &&
            active !== false &&
            name.toLocaleLowerCase().startsWith(wanted),
        );
  const suggestions = useSuggestions(found.length > 0 ? found.slice(0, 6) : undefined, text);
  return { suggestions, place: { start: asked?.start ?? end, end } };
}
