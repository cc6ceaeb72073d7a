import type { NoteBody } from "@pytake/realtime";
import type { OpenConversation } from "@pytake/realtime/react";
import { StickyNote, Trash2 } from "lucide-react";
import { memo, useState } from "react";
import { usePeople } from "../people";
import { useSession } from "../session/use-session";
import { useSpeech } from "../words";
import { clockTime, fullTime } from "../words/times";
import { NoteText } from "./NoteText";

/** What a colleague noted: for the team, and nothing like a message. */
export const NoteRow = memo(
  function NoteRow({ note, open }: { note: NoteBody; open: OpenConversation }) {
    const { words, locale } = useSpeech();
    const { user } = useSession();
    const { byId } = usePeople();
    const [isAsking, setAsking] = useState(false);
    const isOwn = note.author_id === user.id;
    const author = isOwn ? words.you : (byId.get(note.author_id)?.name ?? words.unknownPerson);
    return (
      <article className="note" data-note={note.id} aria-label={words.noteOf(author)}>
        <header className="note-head">
          <StickyNote size={14} aria-hidden />
          <span>{words.noteOf(author)}</span>
          <time dateTime={note.created_at} title={fullTime(note.created_at, locale)}>
            {clockTime(note.created_at, locale)}
          </time>
          {(isOwn || user.role === "admin") && !isAsking && (
            <button
              type="button"
              className="icon-button"
              aria-label={words.removeNote}
              title={words.removeNote}
              onClick={() => setAsking(true)}
            >
              <Trash2 size={14} aria-hidden />
            </button>
          )}
        </header>
        <NoteText text={note.text} />
        {isAsking && (
          <p className="note-ask" role="alert">
            <span>{words.removeNoteAsk}</span>
            <button
              type="button"
              className="link-button"
              onClick={() => void open.removeNote(note.id).catch(() => setAsking(false))}
            >
              {words.remove}
            </button>
            <button type="button" className="link-button" onClick={() => setAsking(false)}>
              {words.cancel}
            </button>
          </p>
        )}
      </article>
    );
  },
  (a, b) => a.note === b.note,
);
