import { type ConversationBody, RealtimeError } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { useCallback, useState } from "react";
import { refusalOf, useWords } from "../words";

export type Change = Partial<
  Pick<ConversationBody, "assigned_to" | "status"> & {
    add_labels: string[];
    remove_labels: string[];
  }
>;

/** Assign, close, reopen or label; and the sentence to show when it was refused. */
export function useChange(id: string): {
  change: (change: Change) => Promise<void>;
  refusal: string | undefined;
} {
  const { rest, inbox } = useClient();
  const words = useWords();
  const [refusal, setRefusal] = useState<string>();
  const change = useCallback(
    async (wanted: Change) => {
      setRefusal(undefined);
      try {
        inbox.take(await rest.patch<ConversationBody>(`/conversations/${id}`, wanted));
      } catch (error) {
        const code = error instanceof RealtimeError ? error.code : "internal";
        setRefusal(code === "conflict" ? words.assignConflict : refusalOf(words, code).join(" "));
      }
    },
    [rest, inbox, id, words],
  );
  return { change, refusal };
}
