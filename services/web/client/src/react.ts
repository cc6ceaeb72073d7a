import {
  createContext,
  createElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useSyncExternalStore,
} from "react";
import type { ConnectionSnapshot, RealtimeClient } from "./client.js";
import type { Conversation } from "./conversation.js";
import type { ConversationSnapshot } from "./conversation-snapshot.js";
import type { InboxList, InboxSnapshot, InboxView } from "./inbox.js";
import type { Draft, OutboxItem } from "./outbox.js";
import type { Store } from "./store.js";

const ClientContext = createContext<RealtimeClient | undefined>(undefined);

export function RealtimeProvider(props: { client: RealtimeClient; children?: ReactNode }) {
  return createElement(ClientContext.Provider, { value: props.client }, props.children);
}

export function useClient(): RealtimeClient {
  const client = useContext(ClientContext);
  if (!client) throw new Error("useClient needs a RealtimeProvider around it");
  return client;
}

function useStore<S>(store: Store<S>): S {
  return useSyncExternalStore(store.subscribe, store.snapshot, store.snapshot);
}

/** The state of the connection, how far it is behind and how many messages wait. */
export function useConnection(): ConnectionSnapshot {
  return useStore(useClient());
}

export function useInboxSnapshot(): InboxSnapshot {
  return useStore(useClient().inbox);
}

/** One list of the inbox; it is loaded when it is first used. */
export function useInbox(view: InboxView): InboxList & { loadMore(): void; retry(): void } {
  const { inbox } = useClient();
  const list = useStore(inbox).lists[view];
  useEffect(() => void inbox.load(view), [inbox, view]);
  return useMemo(
    () => ({
      ...list,
      loadMore: () => void inbox.loadMore(view),
      retry: () => void inbox.load(view),
    }),
    [inbox, list, view],
  );
}

export interface OpenConversation extends ConversationSnapshot {
  send(draft: Draft): OutboxItem;
  markRead(seq?: number): void;
  loadOlder(): void;
  retry(): void;
  /** For colleagues alone. Rejects with the reason when it was not stored. */
  addNote(text: string): Promise<void>;
  removeNote(noteId: string): Promise<void>;
}

/** A conversation, open and complete for as long as the component is there. */
export function useConversation(id: string): OpenConversation {
  const client = useClient();
  const conversation = useOpen(id);
  const snapshot = useStore(conversation);
  const actions = useMemo(
    () => ({
      send: (draft: Draft) => client.send(id, draft),
      markRead: (seq?: number) => conversation.markRead(seq),
      loadOlder: () => void conversation.loadOlder(),
      retry: () => void conversation.load(),
      addNote: (text: string) => conversation.addNote(text),
      removeNote: (noteId: string) => conversation.removeNote(noteId),
    }),
    [client, conversation, id],
  );
  return useMemo(() => ({ ...snapshot, ...actions }), [snapshot, actions]);
}

/** Others who write in a conversation, and what to call at each key of one's own. */
export function useTyping(id: string): {
  users: readonly string[];
  key: () => void;
  stop: () => void;
} {
  const conversation = useOpen(id);
  const { typing } = useStore(conversation);
  const key = useCallback(() => conversation.key(), [conversation]);
  const stop = useCallback(() => conversation.stopTyping(), [conversation]);
  return useMemo(() => ({ users: typing, key, stop }), [typing, key, stop]);
}

function useOpen(id: string): Conversation {
  const client = useClient();
  useEffect(() => client.openConversation(id).close, [client, id]);
  return client.peek(id);
}
