import { type RefObject, useLayoutEffect, useState } from "react";
import { flushSync } from "react-dom";

/** The height of an element, right in the frame in which it changes. */
export function useHeight(element: RefObject<HTMLElement | null>): number {
  const [height, setHeight] = useState(0);
  useLayoutEffect(() => {
    const { current } = element;
    if (!current) return;
    setHeight(current.clientHeight);
    const observer = new ResizeObserver(() => flushSync(() => setHeight(current.clientHeight)));
    observer.observe(current);
    return () => observer.disconnect();
  }, [element]);
  return height;
}
