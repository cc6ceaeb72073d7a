import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { usePreferences } from "../preferences";
import { pt, type Words } from "./pt";

export type Language = "pt-BR" | "en";

export interface Speech {
  words: Words;
  locale: Language;
}

const PORTUGUESE: Speech = { words: pt, locale: "pt-BR" };
const loaded = new Map<Language, Speech>([["pt-BR", PORTUGUESE]]);

/** Have the words of a language at hand; without them the page speaks Portuguese. */
export async function loadWords(language: Language): Promise<void> {
  if (language !== "en" || loaded.has("en")) return;
  await import("./en")
    .then(({ en }) => loaded.set("en", { words: en, locale: "en" }))
    .catch(() => undefined);
}

const SpeechContext = createContext<Speech>(PORTUGUESE);

/** In another language as soon as its words are there. */
export function SpeechProvider({ children }: { children: ReactNode }) {
  const { language } = usePreferences();
  const [speech, setSpeech] = useState(() => loaded.get(language) ?? PORTUGUESE);
  useEffect(() => {
    let isWanted = true;
    void loadWords(language).then(() => {
      if (isWanted) setSpeech(loaded.get(language) ?? PORTUGUESE);
    });
    return () => {
      isWanted = false;
    };
  }, [language]);
  useEffect(() => {
    document.documentElement.lang = speech.locale;
  }, [speech]);
  return <SpeechContext.Provider value={speech}>{children}</SpeechContext.Provider>;
}

export function useSpeech(): Speech {
  return useContext(SpeechContext);
}

export function useWords(): Words {
  return useContext(SpeechContext).words;
}

/** The sentence and the next step for a refusal, by its code. */
export function refusalOf(words: Words, code: string): readonly [string, string] {
  return words.codes[code] ?? words.codes.internal ?? ["", ""];
}
