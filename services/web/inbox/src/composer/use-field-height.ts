import { type RefObject, useLayoutEffect } from "react";

const MOST_LINES_PX = 8 * 20 + 12;

/** A field that grows with its text, to eight lines. */
export function useFieldHeight(field: RefObject<HTMLTextAreaElement | null>, text: string): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    const { current } = field;
    if (!current) return;
    current.style.height = "auto";
    current.style.height = `${Math.min(current.scrollHeight, MOST_LINES_PX)}px`;
  }, [field, text]);
}
