import type { ConversationBody } from "@pytake/realtime";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

const REST_MS = 3_000;

/** Whether a pointer is being used over an element; one that rests there for long is not. */
export function usePointerOver() {
  const [isOver, setOver] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const leave = useCallback(() => {
    clearTimeout(timer.current);
    setOver(false);
  }, []);
  const move = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(leave, REST_MS);
    setOver(true);
  }, [leave]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const handlers = useMemo(
    () => ({ onPointerMove: move, onWheel: move, onPointerLeave: leave }),
    [move, leave],
  );
  return { isOver, handlers };
}

/**
 * Rows in their order, except while the pointer is used over them: then those that are there stay
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
