import type { ConversationSnapshot } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { useEffect, useSyncExternalStore } from "react";

/** One part of an open conversation; news of the others draws nothing. `select` makes no new objects. */
export function usePart<T>(id: string, select: (snapshot: ConversationSnapshot) => T): T {
  const client = useClient();
  useEffect(() => client.openConversation(id).close, [client, id]);
  const conversation = client.peek(id);
  return useSyncExternalStore(conversation.subscribe, () => select(conversation.snapshot()));
}
