import { useWords } from "../words";

/** The way to a note where nothing else may be written. */
export function NoteLink({ onNote }: { onNote: () => void }) {
  const words = useWords();
  return (
    <button type="button" className="link-button" data-write-note onClick={onNote}>
      {words.writeNote}
    </button>
  );
}
