import type { OpenConversation } from "@pytake/realtime/react";
import { useEffect } from "react";

/** What is on the screen of a page that is looked at has been read: the end, where that is shown. */
export function useReading(open: OpenConversation, isAtEnd: boolean): void {
  const { phase, lastSeq, markRead } = open;
  useEffect(() => {
    const read = () => {
      const isSeen = isAtEnd && document.visibilityState === "visible";
      if (phase === "ready" && isSeen) markRead(lastSeq);
    };
    read();
    document.addEventListener("visibilitychange", read);
    return () => document.removeEventListener("visibilitychange", read);
  }, [phase, lastSeq, markRead, isAtEnd]);
}
