import { type KeyboardEvent, type PointerEvent, useRef } from "react";
import { prefer, preferences, usePreferences } from "../preferences";
import { useWords } from "../words";

const NARROWEST = 260;
const WIDEST = 480;

function widthFrom(pixels: number): number {
  return Math.round(Math.max(NARROWEST, Math.min(WIDEST, pixels)));
}

/** The edge of the list, to make it wider or narrower by pointer or arrow keys. */
export function ListHandle() {
  const words = useWords();
  const { listWidth } = usePreferences();
  const isHeld = useRef(false);
  const move = (event: PointerEvent) => {
    if (isHeld.current) prefer({ listWidth: widthFrom(event.clientX) });
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -16, ArrowRight: 16 }[event.key];
    if (step) prefer({ listWidth: widthFrom(preferences().listWidth + step) });
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a separator that can be moved is no <hr>
    <div
      className="list-handle"
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label={words.conversations}
      aria-valuenow={listWidth}
      aria-valuemin={NARROWEST}
      aria-valuemax={WIDEST}
      onPointerDown={(event) => {
        isHeld.current = true;
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={move}
      onPointerUp={() => {
        isHeld.current = false;
      }}
      onKeyDown={press}
    />
  );
}
