import type { NoteBody } from "@pytake/realtime";
import { usePeople } from "../people";
import { NoteText } from "../thread/NoteText";
import { useNow } from "../use-now";
import { useSpeech } from "../words";
import { rowTime } from "../words/times";

const SHOWN = 3;

/** The newest notes, for who opens a conversation that others have had. */
export function Notes({ notes }: { notes: readonly NoteBody[] }) {
  const { words, locale } = useSpeech();
  const { byId } = usePeople();
  const now = useNow(60_000);
  const newest = notes.slice(-SHOWN).reverse();
  return (
    <section className="details-section">
      <h3>{words.notes}</h3>
      {newest.length === 0 && <p className="note-line">{words.noNotes}</p>}
      <ul className="details-notes">
        {newest.map((note) => (
          <li key={note.id}>
            <p className="note-line">
              {byId.get(note.author_id)?.name ?? words.unknownPerson} ·{" "}
              <time dateTime={note.created_at}>{rowTime(note.created_at, now, locale, words)}</time>
            </p>
            <NoteText text={note.text} />
          </li>
        ))}
      </ul>
    </section>
  );
}
