import { useSyncExternalStore } from "react";

export interface CannedReply {
  shortcut: string;
  text: string;
}

const KEY = "pytake.canned";

const FIRST: readonly CannedReply[] = [
  { shortcut: "oi", text: "Olá! Tudo bem? Como posso ajudar?" },
  { shortcut: "aguarde", text: "Só um instante, por favor. Vou verificar para você." },
  { shortcut: "obrigado", text: "Obrigado pelo contato! Se precisar, é só chamar." },
];

let present: readonly CannedReply[] = read();
const listeners = new Set<() => void>();

function read(): readonly CannedReply[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null") ?? FIRST;
  } catch {
    return FIRST;
  }
}

export function keepCanned(replies: readonly CannedReply[]): void {
  present = replies;
  localStorage.setItem(KEY, JSON.stringify(replies));
  for (const listener of listeners) listener();
}

export function useCannedReplies(): readonly CannedReply[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => present,
  );
}
