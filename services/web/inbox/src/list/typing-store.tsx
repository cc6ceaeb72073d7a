import type { RealtimeClient, UserTyping } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useState,
  useSyncExternalStore,
} from "react";

const EXPIRES_MS = 5_000;
const NOBODY: readonly string[] = [];

/** Who types where; who asks for one conversation hears only of that one. */
class TypingStore {
  private readonly users = new Map<string, readonly string[]>();
  private readonly listeners = new Map<string, Set<() => void>>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();

  of(conversationId: string): readonly string[] {
    return this.users.get(conversationId) ?? NOBODY;
  }

  subscribe(conversationId: string, listener: () => void): () => void {
    const listeners = this.listeners.get(conversationId) ?? new Set();
    this.listeners.set(conversationId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.listeners.get(conversationId) === listeners) {
        this.listeners.delete(conversationId);
      }
    };
  }

  /** Hear what this connection is told, until the returned function is called. */
  follow(client: RealtimeClient): () => void {
    const stop = client.onEvent((name, data) => {
      if (name === "user_typing") this.set(data as UserTyping);
    });
    return () => {
      stop();
      for (const timer of this.timers.values()) clearTimeout(timer);
    };
  }

  private set({ conversation_id, user_id, typing }: UserTyping): void {
    const key = `${conversation_id}/${user_id}`;
    clearTimeout(this.timers.get(key));
    this.timers.delete(key);
    if (typing) {
      const end = () => this.set({ conversation_id, user_id, typing: false });
      this.timers.set(key, setTimeout(end, EXPIRES_MS));
    }
    const before = this.of(conversation_id);
    if (before.includes(user_id) === typing) return;
    const others = before.filter((user) => user !== user_id);
    if (typing) this.users.set(conversation_id, [...others, user_id]);
    else if (others.length > 0) this.users.set(conversation_id, others);
    else this.users.delete(conversation_id);
    for (const listener of this.listeners.get(conversation_id) ?? []) listener();
  }
}

const TypingContext = createContext(new TypingStore());

/** Who types in which conversation, as far as this connection hears of it. */
export function TypingProvider({ children }: { children: ReactNode }) {
  const client = useClient();
  const [store] = useState(() => new TypingStore());
  useEffect(() => store.follow(client), [store, client]);
  return <TypingContext.Provider value={store}>{children}</TypingContext.Provider>;
}

export function useTypingIn(conversationId: string): readonly string[] {
  const store = useContext(TypingContext);
  return useSyncExternalStore(
    useCallback(
      (listener: () => void) => store.subscribe(conversationId, listener),
      [store, conversationId],
    ),
    () => store.of(conversationId),
  );
}
