import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";
import { usePreferences } from "../preferences";
import { en } from "./en";
import { pt, type Words } from "./pt";

export type Language = "pt-BR" | "en";

const WORDS: Readonly<Record<Language, Words>> = { "pt-BR": pt, en };

export interface Speech {
  words: Words;
  locale: Language;
}

const SpeechContext = createContext<Speech>({ words: pt, locale: "pt-BR" });

export function SpeechProvider({ children }: { children: ReactNode }) {
  const { language } = usePreferences();
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const speech = useMemo(() => ({ words: WORDS[language], locale: language }), [language]);
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
