"""What may not stand in a log: phones, tokens, passwords and what people wrote.

By the name of the field first, since no pattern knows a message text; by pattern in
every other string, since exceptions and libraries carry values of their own.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

REDACTED = "[redacted]"
MAX_TEXT = 2000
MAX_TRACEBACK = 16_000
MAX_DEPTH = 4

_PRIVATE_FIELDS = frozenset(
    {
        *("token", "access_token", "refresh_token", "authorization", "password", "secret", "auth"),
        *("cookie", "jwt", "signature", "verify_token", "app_secret", "api_key"),
        *("text", "content", "caption", "body", "payload", "data", "message", "filename"),
        *("phone", "wa_id", "from", "to", "recipient", "recipient_id", "identifiers", "contact"),
        *("profile_name", "contact_name", "email", "media_url", "environ", "query_string"),
    }
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*"), "[token]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 [token]"),
    (re.compile(r"\bEAA[A-Za-z0-9]{16,}"), "[token]"),
    (re.compile(r"\bwamid\.[\w+/=-]+"), "[wamid]"),
    (re.compile(r"(?i)\b([\w.]*(?:token|secret|password|signature))=[^\s&'\"]+"), r"\1=[redacted]"),
    (re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@"), r"\1:[redacted]@"),
    # Exceptions that quote values: SQLAlchemy, PostgreSQL, pydantic.
    (re.compile(r"\[parameters: .*?\](?=\n|$|\s*\()", re.DOTALL), "[parameters: redacted]"),
    (re.compile(r"(?m)(DETAIL:\s+).*$"), r"\1[redacted]"),
    (re.compile(r"input_value=.*?, input_type", re.DOTALL), "input_value=[redacted], input_type"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w"), "[e-mail]"),
    # Phones: with a plus and separators, or 10 to 15 digits that stand alone. Times with a
    # fraction, UUIDs, trace ids and figures with a unit do not match.
    (re.compile(r"\+\d[\d\s().-]{6,20}\d"), "[phone]"),
    (re.compile(r"(?<![\w.:/-])\d{10,15}(?![\w.-])"), "[phone]"),
)


def redact(key: str, value: Any, depth: int = 0) -> Any:
    """Return the value as it may be logged under the key."""
    if key in _PRIVATE_FIELDS and value is not None and not isinstance(value, bool):
        return REDACTED
    if isinstance(value, str):
        return clean_text(value, MAX_TRACEBACK if key == "exception" else MAX_TEXT)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= MAX_DEPTH:
        return REDACTED
    if isinstance(value, Mapping):
        return {str(name): redact(str(name), item, depth + 1) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [redact("", item, depth + 1) for item in value[:50]]
    if isinstance(value, bytes | bytearray):
        return f"[{len(value)} bytes]"
    return clean_text(str(value), MAX_TEXT)


def clean_text(text: str, limit: int = MAX_TEXT) -> str:
    """Return the text, shortened, with everything private in it replaced."""
    # The first cut bounds the work, the last one the line; what the first one cut in two is
    # dropped by the last, so no half of a token stays.
    text = _shortened(text, 8 * limit)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return _shortened(text, limit)


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]} … {text[-limit // 2 :]}"


def without_controls(value: Any, *, keep_newlines: bool = False) -> Any:
    """Return text that cannot steer a terminal or forge a second line."""
    if not isinstance(value, str):
        return value
    return "".join(
        char if char.isprintable() or (keep_newlines and char in "\n\t") else f"\\x{ord(char):02x}"
        for char in value
    )
