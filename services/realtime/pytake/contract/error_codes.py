"""What each error code means on HTTP and on the socket.

One table, shared with the TypeScript client and with `pytake explain`. Clients
decide by code: `retryable` says whether the same request may succeed later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytake.domain.errors import ErrorCode, PytakeError


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """One row of the table.

    `status` is the HTTP status; `title` what happened, for people; `action` what
    whoever sees the code should do next.
    """

    status: int
    retryable: bool
    title: str
    action: str


MEANINGS: Mapping[ErrorCode, CodeMeaning] = {
    ErrorCode.INVALID_TOKEN: CodeMeaning(
        401,
        False,
        "The token is missing or not valid.",
        "Sign in again. If every user is affected, compare keys, issuer and audience.",
    ),
    ErrorCode.TOKEN_EXPIRED: CodeMeaning(
        401,
        True,
        "The token has expired.",
        "Get a fresh token and try again; check the clock if it is fresh.",
    ),
    ErrorCode.TOKEN_REVOKED: CodeMeaning(
        401,
        False,
        "The token or its user was revoked.",
        "Sign in again; an admin may have ended this session.",
    ),
    ErrorCode.FORBIDDEN: CodeMeaning(
        403,
        False,
        "You may not do this.",
        "Ask an admin for the role or the assignment that allows it.",
    ),
    ErrorCode.NOT_FOUND: CodeMeaning(
        404,
        False,
        "It does not exist, or you may not see it.",
        "Check the id; the conversation may have been assigned to somebody else.",
    ),
    ErrorCode.NOT_JOINED: CodeMeaning(
        403,
        False,
        "The conversation was not joined on this connection.",
        "Send join_conversation first and wait for its acknowledgement.",
    ),
    ErrorCode.INVALID_PAYLOAD: CodeMeaning(
        422,
        False,
        "The request does not have the expected shape.",
        "Compare the payload with docs/protocol.md; do not retry it unchanged.",
    ),
    ErrorCode.UNKNOWN_EVENT: CodeMeaning(
        422,
        False,
        "There is no event of this name.",
        "Check the spelling; see the list of events in docs/protocol.md.",
    ),
    ErrorCode.PAYLOAD_TOO_LARGE: CodeMeaning(
        413,
        False,
        "The request is too large.",
        "Send less at once; upload files with POST /media.",
    ),
    ErrorCode.RATE_LIMITED: CodeMeaning(
        429,
        True,
        "Too many requests.",
        "Wait for the time that the answer names, then go on more slowly.",
    ),
    ErrorCode.CONNECTION_CAP: CodeMeaning(
        429,
        False,
        "The user has too many connections; the oldest was closed.",
        "Close another tab or device; do not reconnect by yourself.",
    ),
    ErrorCode.SUPERSEDED: CodeMeaning(
        409,
        False,
        "A newer connection took the place of this one.",
        "Nothing: the newer connection goes on.",
    ),
    ErrorCode.TOO_MANY_ROOMS: CodeMeaning(
        429,
        False,
        "The connection has joined as many conversations as it may.",
        "Leave conversations that are not on the screen.",
    ),
    ErrorCode.WINDOW_CLOSED: CodeMeaning(
        422,
        False,
        "The customer has not written within the last 24 hours.",
        "Send an approved template, or wait for the customer to write.",
    ),
    ErrorCode.STALE_VIEW: CodeMeaning(
        409,
        False,
        "Somebody wrote meanwhile.",
        "Read what is new, then send again with the newest seq or without based_on_seq.",
    ),
    ErrorCode.CONFLICT: CodeMeaning(
        409,
        False,
        "It was changed by somebody else.",
        "Read the present state and decide again.",
    ),
    ErrorCode.SLOW_CONSUMER: CodeMeaning(
        503,
        True,
        "The connection did not read fast enough.",
        "Reconnect; what was missed is replayed.",
    ),
    ErrorCode.DRAINING: CodeMeaning(
        503,
        True,
        "This server is about to end.",
        "Reconnect; another server takes over.",
    ),
    ErrorCode.OVERLOADED: CodeMeaning(
        503,
        True,
        "The server has as much to do as it can.",
        "Wait for the time that the answer names, then try again.",
    ),
    ErrorCode.UNAVAILABLE: CodeMeaning(
        503,
        True,
        "A part that is needed is not available.",
        "Try again; nothing was stored, or the same client_message_id finds what was.",
    ),
    ErrorCode.INTERNAL: CodeMeaning(
        500,
        True,
        "Something went wrong on our side.",
        "Try again; report the trace id if it stays.",
    ),
}


def error_object(
    error: PytakeError, *, event: str | None = None, trace_id: str | None = None
) -> dict[str, Any]:
    """Return the object of the `error` event and of a refused acknowledgement.

    Its members are `message`, `code` and `retryable`, and where they apply
    `retry_after_ms`, `event`, `trace_id` and what the error itself adds.
    """
    meaning = MEANINGS[error.code]
    answer: dict[str, Any] = {
        "message": error.detail or meaning.title,
        "code": error.code.value,
        "retryable": meaning.retryable,
    }
    if error.retry_after_ms is not None:
        answer["retry_after_ms"] = error.retry_after_ms
    if event is not None:
        answer["event"] = event
    if trace_id is not None:
        answer["trace_id"] = trace_id
    return answer | error.extra
