import type { MessageBody } from "@pytake/realtime";
import type { OpenConversation } from "@pytake/realtime/react";
import { useEffect, useMemo, useState } from "react";
import { useSession } from "../session/use-session";
import { draftBaseOf, keepDraftBase } from "./drafts";

/** What colleagues wrote since the draft was begun. */
export function answeredMeanwhile(
  messages: readonly MessageBody[],
  basedOnSeq: number,
  userId: string,
): MessageBody[] {
  return messages.filter(
    ({ seq, direction, sender_id, content }) =>
      seq > basedOnSeq && direction === "outbound" && sender_id !== userId && !content.from_history,
  );
}

/** Holds a reply back once when a colleague has answered since it was begun, also before a reload. */
export function useStaleGuard(open: OpenConversation, hasDraft: boolean) {
  const { user } = useSession();
  const [isShown, setShown] = useState(false);
  const { id, phase, lastSeq, messages } = open;
  // Before the messages are there nothing was on the screen to write an answer to.
  const seen = phase === "ready" ? Math.max(lastSeq, messages.at(-1)?.seq ?? 0) : undefined;

  useEffect(() => {
    if (!hasDraft) setShown(false);
    else if (seen !== undefined && draftBaseOf(id) === undefined) keepDraftBase(id, seen);
  }, [id, hasDraft, seen]);

  return useMemo(() => {
    const newer = () => answeredMeanwhile(messages, draftBaseOf(id) ?? lastSeq, user.id);
    return {
      isShown,
      messages: isShown ? newer() : [],
      /** False when the reply must be looked at again; the messages are shown then. */
      mayPass() {
        const isStale = newer().length > 0;
        setShown(isStale);
        return !isStale;
      },
      reset() {
        if (seen !== undefined) keepDraftBase(id, seen);
        setShown(false);
      },
    };
  }, [isShown, id, messages, lastSeq, seen, user.id]);
}
