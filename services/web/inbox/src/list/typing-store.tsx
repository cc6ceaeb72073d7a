import type { UserTyping } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";

const EXPIRES_MS = 5_000;

type Typing = Readonly<Record<string, readonly string[]>>;

const TypingContext = createContext<Typing>({});

/** Who types in which conversation, as far as this connection hears of it. */
export function TypingProvider({ children }: { children: ReactNode }) {
  const client = useClient();
  const [typing, setTyping] = useState<Typing>({});
  useEffect(() => {
    const timers = new Map<string, ReturnType<typeof setTimeout>>();
    const set = ({ conversation_id, user_id, typing: isTyping }: UserTyping) => {
      const key = `${conversation_id}/${user_id}`;
      clearTimeout(timers.get(key));
      setTyping((all) => {
        const others = (all[conversation_id] ?? []).filter((user) => user !== user_id);
        return { ...all, [conversation_id]: isTyping ? [...others, user_id] : others };
      });
      if (isTyping) {
        const end = () => set({ conversation_id, user_id, typing: false });
        timers.set(key, setTimeout(end, EXPIRES_MS));
      }
    };
    const stop = client.onEvent((name, data) => {
      if (name === "user_typing") set(data as UserTyping);
    });
    return () => {
      stop();
      for (const timer of timers.values()) clearTimeout(timer);
    };
  }, [client]);
  return <TypingContext.Provider value={typing}>{children}</TypingContext.Provider>;
}

const NOBODY: readonly string[] = [];

export function useTypingIn(conversationId: string): readonly string[] {
  return useContext(TypingContext)[conversationId] ?? NOBODY;
}
