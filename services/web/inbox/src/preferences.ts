import { useSyncExternalStore } from "react";
import type { Language } from "./words";

export interface Preferences {
  theme: "system" | "light" | "dark";
  language: Language;
  enterSends: boolean;
  notifications: boolean;
  sound: boolean;
  quietFrom: string;
  quietTo: string;
  quiet: boolean;
  showDetails: boolean;
  listWidth: number;
}

const KEY = "pytake.preferences";

const DEFAULTS: Preferences = {
  theme: "system",
  language: navigator.language.toLowerCase().startsWith("pt") ? "pt-BR" : "en",
  enterSends: true,
  notifications: false,
  sound: true,
  quiet: false,
  quietFrom: "20:00",
  quietTo: "08:00",
  showDetails: true,
  listWidth: 320,
};

let present: Preferences = read();
const listeners = new Set<() => void>();

function read(): Preferences {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return DEFAULTS;
  }
}

/** Change some, here and in the other tabs of this browser. */
export function prefer(change: Partial<Preferences>): void {
  present = { ...present, ...change };
  localStorage.setItem(KEY, JSON.stringify(present));
  for (const listener of listeners) listener();
}

export function preferences(): Preferences {
  return present;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, preferences);
}

/** Show the theme that is preferred, and follow the system while it decides. */
export function followTheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const isDark = present.theme === "dark" || (present.theme === "system" && dark.matches);
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
  };
  dark.addEventListener("change", show);
  listeners.add(show);
  window.addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    present = read();
    for (const listener of listeners) listener();
  });
  show();
}
