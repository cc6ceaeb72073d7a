import type { MessageBody } from "@pytake/realtime";
import type { OpenConversation } from "@pytake/realtime/react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useSession } from "../session/use-session";

/** What colleagues wrote since the draft was begun. */
export function answeredMeanwhile(
  messages: readonly MessageBody[],
  basedOnSeq: number,
  userId: string,
): MessageBody[] {
  return messages.filter(
    ({ seq, direction, sender_id }) =>
      seq > basedOnSeq && direction === "outbound" && sender_id !== userId,
  );
}

/** Holds a reply back once when a colleague has answered while it was being written. */
export function useStaleGuard(open: OpenConversation, hasDraft: boolean) {
  const { user } = useSession();
  const base = useRef(open.lastSeq);
  const [isShown, setShown] = useState(false);
  const { lastSeq, messages } = open;

  useEffect(() => {
    if (!hasDraft) {
      base.current = lastSeq;
      setShown(false);
    }
  }, [hasDraft, lastSeq]);

  return useMemo(
    () => ({
      isShown,
      messages: isShown ? answeredMeanwhile(messages, base.current, user.id) : [],
      /** False when the reply must be looked at again; the messages are shown then. */
      mayPass() {
        const isStale = answeredMeanwhile(messages, base.current, user.id).length > 0;
        setShown(isStale);
        return !isStale;
      },
      reset() {
        base.current = lastSeq;
        setShown(false);
      },
    }),
    [isShown, messages, lastSeq, user.id],
  );
}
