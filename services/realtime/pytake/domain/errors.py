"""Everything that can be refused, with a code that clients decide by.

    PytakeError
    ├── NotAuthenticated      invalid_token · token_expired · token_revoked
    ├── Refused               forbidden · not_found · not_joined · invalid_payload · unknown_event
    │   │                     payload_too_large · too_many_rooms · window_closed
    │   ├── StaleView         stale_view, with the events that the author has not seen
    │   └── Conflict          conflict
    ├── TooMuch               rate_limited · connection_cap · superseded · slow_consumer
    └── Unavailable           draining · overloaded · unavailable · internal

A refusal is expected: it is counted, not logged as an error. The text may change
and be translated; the code may not.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from pytake.domain.events import ConversationEvent


class ErrorCode(StrEnum):
    """The closed list of codes, in the order of the contract."""

    INVALID_TOKEN = "invalid_token"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    NOT_JOINED = "not_joined"
    INVALID_PAYLOAD = "invalid_payload"
    UNKNOWN_EVENT = "unknown_event"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    RATE_LIMITED = "rate_limited"
    CONNECTION_CAP = "connection_cap"
    SUPERSEDED = "superseded"
    TOO_MANY_ROOMS = "too_many_rooms"
    WINDOW_CLOSED = "window_closed"
    STALE_VIEW = "stale_view"
    CONFLICT = "conflict"
    SLOW_CONSUMER = "slow_consumer"
    DRAINING = "draining"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class PytakeError(Exception):
    """An error that a client is told of by its code.

    Args:
        code: What went wrong; `contract.error_codes` maps it to HTTP and retry.
        detail: A sentence for people. Never holds what the principal may not know.
        retry_after_ms: How long to wait before the same request can succeed.
        extra: Further members of the answer, such as the missing events.
    """

    code: ErrorCode = ErrorCode.INTERNAL

    def __init__(
        self,
        code: ErrorCode | None = None,
        detail: str = "",
        *,
        retry_after_ms: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code or type(self).code
        self.detail = detail
        self.retry_after_ms = retry_after_ms
        self.extra = dict(extra or {})
        super().__init__(detail or self.code.value)


class NotAuthenticated(PytakeError):
    """The token does not say who is asking."""

    code = ErrorCode.INVALID_TOKEN


class Refused(PytakeError):
    """The request is understood and will not be carried out."""

    code = ErrorCode.FORBIDDEN


class NotFound(Refused):
    """It does not exist, or the principal may not know that it does."""

    code = ErrorCode.NOT_FOUND


class InvalidPayload(Refused):
    """The request has not the shape that the contract asks for."""

    code = ErrorCode.INVALID_PAYLOAD


class Conflict(Refused):
    """Somebody else was faster, or the same id was used for other content."""

    code = ErrorCode.CONFLICT


class WindowClosed(Refused):
    """The customer has not written within 24 hours: only a template may be sent."""

    code = ErrorCode.WINDOW_CLOSED


class StaleView(Refused):
    """The customer or a colleague wrote after what the author had seen."""

    code = ErrorCode.STALE_VIEW

    def __init__(self, missing: Sequence[ConversationEvent]) -> None:
        super().__init__(detail="Somebody wrote meanwhile.")
        self.missing = tuple(missing)


class TooMuch(PytakeError):
    """A limit was reached; waiting helps."""

    code = ErrorCode.RATE_LIMITED


class Unavailable(PytakeError):
    """Nothing was stored, or nobody knows; the same request may be sent again."""

    code = ErrorCode.UNAVAILABLE
