import type { CannedReplyBody } from "@pytake/realtime";
import { useWords } from "../words";
import { CannedEditor } from "./CannedEditor";
import { useCannedReplies } from "./canned-replies";
import { Suggestions, useSuggestions } from "./Suggestions";

/** The replies that a text beginning with `/` asks for; undefined where it does not. */
export function cannedFor<T extends Pick<CannedReplyBody, "shortcut">>(
  text: string,
  replies: readonly T[],
): readonly T[] | undefined {
  const asked = /^\/(\S*)$/.exec(text)?.[1]?.toLocaleLowerCase();
  if (asked === undefined) return undefined;
  return replies.filter(({ shortcut }) => shortcut.toLocaleLowerCase().startsWith(asked));
}

export function useCanned(text: string) {
  const isAsked = text.startsWith("/");
  const { replies, state } = useCannedReplies(isAsked);
  const suggestions = useSuggestions(isAsked ? cannedFor(text, replies) : undefined, text);
  return { suggestions, state };
}

export function CannedReplies(props: {
  canned: ReturnType<typeof useCanned>;
  onPick: (text: string) => void;
}) {
  const words = useWords();
  const { suggestions, state } = props.canned;
  const isEmpty = suggestions.found?.length === 0;
  return (
    <Suggestions
      label={words.cannedReplies}
      suggestions={suggestions}
      keyOf={({ id }) => id}
      onPick={({ text }) => props.onPick(text)}
      item={({ shortcut, text }) => (
        <>
          <kbd>/{shortcut}</kbd>
          <span>{text}</span>
        </>
      )}
    >
      {isEmpty && state === "loading" && <p className="note-line">{words.loading}</p>}
      {isEmpty && state === "failed" && <p className="note-line">{words.cannedFailed}</p>}
      {isEmpty && state === "ready" && <p className="note-line">{words.noCanned}</p>}
      <CannedEditor />
    </Suggestions>
  );
}
