import type { Words } from "../words/pt";

/** "Ana está digitando…", "2 pessoas estão digitando…"; empty when nobody does. */
export function typingText(names: readonly (string | undefined)[], words: Words): string {
  if (names.length === 0) return "";
  if (names.length > 1) return words.typingMany(names.length);
  return names[0] ? words.typingOne(names[0]) : words.typingUnknown;
}
