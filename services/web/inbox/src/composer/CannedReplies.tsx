import { type KeyboardEvent, useEffect, useState } from "react";
import { useWords } from "../words";
import { CannedEditor } from "./CannedEditor";
import { type CannedReply, useCannedReplies } from "./canned-store";

/** The replies that a text beginning with `/` asks for; undefined where it does not. */
export function cannedFor(
  text: string,
  replies: readonly CannedReply[],
): readonly CannedReply[] | undefined {
  const asked = /^\/(\S*)$/.exec(text)?.[1]?.toLocaleLowerCase();
  if (asked === undefined) return undefined;
  return replies.filter(({ shortcut }) => shortcut.toLocaleLowerCase().startsWith(asked));
}

export function useCanned(text: string) {
  const replies = useCannedReplies();
  const [active, setActive] = useState(0);
  const found = cannedFor(text, replies);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new text starts at the top
  useEffect(() => setActive(0), [text]);
  const onKeyDown = (event: KeyboardEvent, pick: (text: string) => void): boolean => {
    if (!found || found.length === 0) return false;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) setActive((active + step + found.length) % found.length);
    else if (event.key === "Enter" || event.key === "Tab") pick(found[active]?.text ?? text);
    else return false;
    event.preventDefault();
    return true;
  };
  return { found, active, onKeyDown };
}

export function CannedReplies(props: {
  canned: ReturnType<typeof useCanned>;
  onPick: (text: string) => void;
}) {
  const words = useWords();
  const { found, active } = props.canned;
  if (!found) return null;
  return (
    <section className="canned" aria-label={words.cannedReplies} data-canned>
      <ul>
        {found.map(({ shortcut, text }, index) => (
          <li key={shortcut}>
            <button
              type="button"
              className={`canned-item ${index === active ? "is-active" : ""}`}
              onClick={() => props.onPick(text)}
            >
              <kbd>/{shortcut}</kbd>
              <span>{text}</span>
            </button>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="note-line">{words.noCanned}</p>}
      <CannedEditor />
    </section>
  );
}
