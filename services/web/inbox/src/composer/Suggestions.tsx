import { type KeyboardEvent, type ReactNode, useEffect, useId, useState } from "react";

/** A list to choose from while one writes: arrows move, Enter and Tab pick, Escape puts it away. */
export function useSuggestions<T>(found: readonly T[] | undefined, asked: string) {
  const [active, setActive] = useState(0);
  const [isAway, setAway] = useState(false);
  const listId = useId();
  const isAsked = found !== undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another question starts at the top
  useEffect(() => setActive(0), [asked]);
  useEffect(() => {
    if (!isAsked) setAway(false);
  }, [isAsked]);
  const shown = isAway ? undefined : found;
  const onKeyDown = (event: KeyboardEvent, pick: (item: T) => void): boolean => {
    if (!shown) return false;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const chosen = shown[active];
    if (event.key === "Escape") setAway(true);
    else if (step !== 0 && chosen) setActive((active + step + shown.length) % shown.length);
    else if ((event.key === "Enter" || event.key === "Tab") && chosen) pick(chosen);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  const hasOptions = shown !== undefined && shown.length > 0;
  /** For the field, which keeps the focus. A field of several lines may not be `aria-expanded`. */
  const field = {
    "aria-autocomplete": "list",
    "aria-controls": hasOptions ? listId : undefined,
    "aria-activedescendant": hasOptions ? optionId(listId, active) : undefined,
  } as const;
  return { found: shown, active, listId, field, onKeyDown };
}

function optionId(listId: string, index: number): string {
  return `${listId}-${index}`;
}

export function Suggestions<T>(props: {
  label: string;
  suggestions: { found: readonly T[] | undefined; active: number; listId: string };
  keyOf: (item: T) => string;
  onPick: (item: T) => void;
  item: (item: T) => ReactNode;
  children?: ReactNode;
}) {
  const { found, active, listId } = props.suggestions;
  if (!found) return null;
  return (
    <section className="suggestions" aria-label={props.label} data-suggestions>
      {found.length > 0 && (
        <div role="listbox" id={listId} className="suggestion-list" aria-label={props.label}>
          {found.map((each, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field
            <div
              key={props.keyOf(each)}
              role="option"
              id={optionId(listId, index)}
              tabIndex={-1}
              aria-selected={index === active}
              className={`suggestion ${index === active ? "is-active" : ""}`}
              // The field keeps the focus: a finger on the list takes nothing away from it.
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => props.onPick(each)}
            >
              {props.item(each)}
            </div>
          ))}
        </div>
      )}
      {props.children}
    </section>
  );
}
