import { useEffect, useRef } from "react";

const CHORD_MS = 1_000;

/** What keys do: single ones such as `j`, and chords such as `g m`. */
export type Shortcuts = Readonly<Record<string, () => void>>;

function isWriting(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}

/** Keys of the page; silent while somebody writes, or a menu or dialog is open. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  useEffect(() => {
    let chord: { key: string; at: number } | undefined;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("[role=dialog]:not([hidden]), [role=menu]:not([hidden])")) return;
      if (isWriting(event.target)) {
        if (event.key === "Escape") (event.target as HTMLElement).blur();
        return;
      }
      const isChord = chord && Date.now() - chord.at < CHORD_MS;
      const inChord = isChord ? latest.current[`${chord?.key} ${event.key}`] : undefined;
      const run = inChord ?? latest.current[event.key];
      chord = run ? undefined : { key: event.key, at: Date.now() };
      if (!run) return;
      event.preventDefault();
      run();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
