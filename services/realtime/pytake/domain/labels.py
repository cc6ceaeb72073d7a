"""Labels of a conversation: short words that the team sorts by."""

from collections.abc import Iterable

from pytake.domain.errors import InvalidPayload

MAX_LABELS = 20
MAX_LABEL_LENGTH = 40


def label_text(value: str) -> str:
    """Return a label as it is kept: one line in lower case, without space around it.

    Raises:
        InvalidPayload: It is empty, too long, or holds what no line holds.
    """
    text = " ".join(value.split()).lower()
    if not text or len(text) > MAX_LABEL_LENGTH or not text.isprintable():
        raise InvalidPayload(detail=f"A label is one line of 1 to {MAX_LABEL_LENGTH} characters.")
    return text


def changed_labels(
    labels: Iterable[str], add: Iterable[str], remove: Iterable[str]
) -> tuple[str, ...]:
    """Return the labels with some added and some removed, sorted.

    Raises:
        InvalidPayload: One of them is no label, or there would be more than `MAX_LABELS`.
    """
    kept = {*labels, *map(label_text, add)} - set(map(label_text, remove))
    if len(kept) > MAX_LABELS:
        raise InvalidPayload(detail=f"A conversation has at most {MAX_LABELS} labels.")
    return tuple(sorted(kept))
