import type { ConversationBody } from "@pytake/realtime";
import { useRef } from "react";

/**
 * Rows in their order, except while the pointer is over them: then those that are there stay
 * where they are, and new ones come below. Nothing moves under a click.
 */
export function useSettledOrder(
  rows: readonly ConversationBody[],
  isHeld: boolean,
): readonly ConversationBody[] {
  const shown = useRef<readonly string[]>([]);
  if (!isHeld) {
    shown.current = rows.map((row) => row.id);
    return rows;
  }
  const place = new Map(shown.current.map((id, index) => [id, index]));
  const settled = [...rows].sort(
    (a, b) => (place.get(a.id) ?? rows.length) - (place.get(b.id) ?? rows.length),
  );
  shown.current = settled.map((row) => row.id);
  return settled;
}
