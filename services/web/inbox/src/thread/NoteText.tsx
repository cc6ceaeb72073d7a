import { Fragment } from "react";
import { usePeople } from "../people";
import { mentionsIn } from "./mentions";

/** The text of a note, with the colleagues it is meant for marked. */
export function NoteText({ text }: { text: string }) {
  const { all } = usePeople();
  const names = all.map((person) => person.name);
  return (
    <p className="note-text" dir="auto">
      {mentionsIn(text, names).map((part, index) =>
        index % 2 === 1 ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text never move
          <strong key={index}>{part}</strong>
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text never move
          <Fragment key={index}>{part}</Fragment>
        ),
      )}
    </p>
  );
}
