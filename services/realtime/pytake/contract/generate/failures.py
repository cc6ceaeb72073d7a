"""The words of failures for the inbox: which code has which row, and the rows by language."""

import json

from pytake.contract.failures import FAILURES, OTHER

_LANGUAGES = {"pt-BR": "pt", "en": "en"}
_HEAD = """\
// Written by `make contract` from services/realtime/pytake/contract/failures.py. Do not edit.

/** What happened, and what to do next. */
export type FailureWords = readonly [string, string];

/** The row of each `error.code` of a message that did not arrive. */
export const FAILURE_ROWS: Readonly<Record<string, number>> = {
%(codes)s
};

/** The row for a code that is not among them. */
export const OTHER_FAILURE = %(other)d;

/** The rows, by language. */
export const FAILURES: Readonly<Record<%(languages)s, readonly FailureWords[]>> = {
%(rows)s
};
"""


def failures_module() -> str:
    """Return the module `failures.gen.ts`."""
    rows = list(dict.fromkeys(FAILURES.values()))
    places = {code: rows.index(failure) for code, failure in FAILURES.items()}
    blocks = []
    for language, member in _LANGUAGES.items():
        words = (json.dumps(getattr(row, member), ensure_ascii=False) for row in rows)
        block = "\n".join(f"    {each}," for each in words)
        blocks.append(f"  {json.dumps(language)}: [\n{block}\n  ],")
    return _HEAD % {
        "codes": "\n".join(f"  {code}: {place}," for code, place in places.items()),
        "other": places[OTHER],
        "languages": " | ".join(json.dumps(language) for language in _LANGUAGES),
        "rows": "\n".join(blocks),
    }
