import type { Speech } from ".";
import { FAILURE_ROWS, FAILURES, type FailureWords, OTHER_FAILURE } from "./failures.gen";

/** Why a message did not arrive, in plain words, and what can be done; never a blank. */
export function failureWords({ words, locale }: Speech, code: unknown): FailureWords {
  const name = String(code);
  const row = FAILURE_ROWS[name];
  if (row === undefined && words.codes[name]) return words.codes[name];
  return FAILURES[locale][row ?? OTHER_FAILURE] ?? ["", ""];
}
