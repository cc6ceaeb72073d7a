import { type KeyboardEvent, type ReactNode, useEffect, useState } from "react";

/** A list to choose from while one writes: arrows move, Enter and Tab pick. */
export function useSuggestions<T>(found: readonly T[] | undefined, asked: string) {
  const [active, setActive] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another question starts at the top
  useEffect(() => setActive(0), [asked]);
  const onKeyDown = (event: KeyboardEvent, pick: (item: T) => void): boolean => {
    if (!found || found.length === 0) return false;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const chosen = found[active];
    if (step !== 0) setActive((active + step + found.length) % found.length);
    else if ((event.key === "Enter" || event.key === "Tab") && chosen) pick(chosen);
    else return false;
    event.preventDefault();
    return true;
  };
  return { found, active, onKeyDown };
}

export function Suggestions<T>(props: {
  label: string;
  suggestions: { found: readonly T[] | undefined; active: number };
  keyOf: (item: T) => string;
  onPick: (item: T) => void;
  item: (item: T) => ReactNode;
  children?: ReactNode;
}) {
  const { found, active } = props.suggestions;
  if (!found) return null;
  return (
    <section className="suggestions" aria-label={props.label} data-suggestions>
      <ul>
        {found.map((each, index) => (
          <li key={props.keyOf(each)}>
            <button
              type="button"
              className={`suggestion ${index === active ? "is-active" : ""}`}
              // The field keeps the focus: a finger on the list takes nothing away from it.
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => props.onPick(each)}
            >
              {props.item(each)}
            </button>
          </li>
        ))}
      </ul>
      {props.children}
    </section>
  );
}
