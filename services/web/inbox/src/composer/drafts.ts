import { useCallback, useSyncExternalStore } from "react";

const PREFIX = "pytake.draft.";
const BASE_PREFIX = "pytake.draft-base.";
const listeners = new Set<() => void>();

/** The text that was begun in a conversation; survives a reload. */
export function draftOf(conversationId: string): string {
  return localStorage.getItem(PREFIX + conversationId) ?? "";
}

export function keepDraft(conversationId: string, text: string): void {
  if (draftOf(conversationId) === text) return;
  if (text) localStorage.setItem(PREFIX + conversationId, text);
  else {
    localStorage.removeItem(PREFIX + conversationId);
    localStorage.removeItem(BASE_PREFIX + conversationId);
  }
  for (const listener of listeners) listener();
}

/** The newest `seq` that was on the screen when the draft was begun, where that is known. */
export function draftBaseOf(conversationId: string): number | undefined {
  const base = localStorage.getItem(BASE_PREFIX + conversationId);
  return base === null ? undefined : Number(base);
}

/** Kept for as long as there is a draft. */
export function keepDraftBase(conversationId: string, seq: number): void {
  if (draftOf(conversationId)) localStorage.setItem(BASE_PREFIX + conversationId, String(seq));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", listener);
  };
}

export function useDraft(conversationId: string): string {
  return useSyncExternalStore(
    subscribe,
    useCallback(() => draftOf(conversationId), [conversationId]),
  );
}

const takers = new Map<string, (text: string) => void>();

/** Be told when a text should go back into the composer of a conversation. */
export function takeIntoComposer(conversationId: string, take: (text: string) => void): () => void {
  takers.set(conversationId, take);
  return () => takers.delete(conversationId);
}

/** Put a text back into the composer, before what is there. */
export function editAgain(conversationId: string, text: string): void {
  const present = draftOf(conversationId);
  const whole = present ? `${text}\n${present}` : text;
  const take = takers.get(conversationId);
  if (take) take(whole);
  else keepDraft(conversationId, whole);
}
