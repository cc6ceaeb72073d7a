"""The form in which names, phones and texts are searched: without case and accents."""

import unicodedata
from collections.abc import Mapping
from typing import Any

MAX_CHARACTERS = 4096
_SEARCHED = ("text", "caption", "filename")


def folded(text: str) -> str:
    """Return the text as it is compared: `José` and `JOSE` are the same."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return kept.replace("\x00", "")


def of_message(content: Mapping[str, Any]) -> str | None:
    """Return what of a message is found by its text; None where it has none."""
    parts = [content[key] for key in _SEARCHED if isinstance(content.get(key), str)]
    return folded(" ".join(parts))[:MAX_CHARACTERS] or None


def of_contact(name: str, phone: str | None) -> str:
    """Return what a contact is found by."""
    return folded(f"{name} {phone or ''}")


def pattern(query: str) -> str:
    """Return the LIKE pattern of a search; its escape character is the backslash."""
    escaped = folded(query).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
