"""`pytake explain CODE`: what an error code means and what to do about it."""

from pytake.contract.error_codes import MEANINGS
from pytake.domain.errors import ErrorCode


def explain(code: str | None) -> tuple[str, bool]:
    """Return the text for a code (or the list of all), and whether there is such a code."""
    if code is None:
        width = max(len(known) for known in ErrorCode)
        lines = [f"{known.value:<{width}}  {MEANINGS[known].title}" for known in ErrorCode]
        return "\n".join(lines), True
    try:
        meaning = MEANINGS[ErrorCode(code)]
    except ValueError:
        return f"There is no code {code!r}; `pytake explain` lists all.", False
    retry = "yes, the same request may succeed later" if meaning.retryable else "no"
    return (
        f"{code}: {meaning.title}\n"
        f"  HTTP status: {meaning.status}\n"
        f"  retryable:   {retry}\n"
        f"  what to do:  {meaning.action}"
    ), True
