"""Every refusal as `application/problem+json`, RFC 9457, with the code clients decide by."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pytake.contract.error_codes import MEANINGS
from pytake.contract.media_links import Link, with_links
from pytake.contract.times import wire_time
from pytake.domain.errors import ErrorCode, InvalidPayload, PytakeError, StaleView
from pytake.domain.events import ConversationEvent, DurableEvent
from pytake.observability.logs import OncePerReason
from pytake.observability.trace_context import current_trace_id

log = structlog.get_logger(__name__)
_note_refused = OncePerReason("request refused")

PROBLEM = "application/problem+json"
DEFAULT_RETRY_AFTER_MS = 1000


class NotJson(InvalidPayload):
    """The body is no JSON at all: 400, where a wrong shape is 422."""

    status = 400


class BodyTooSlow(InvalidPayload):
    """The body did not arrive in time."""

    status = 408


class BodyIncomplete(InvalidPayload):
    """The client hung up in the middle: its own affair, not an error of ours."""

    status = 400


class BodyTooLarge(PytakeError):
    """The body is larger than the route takes."""

    code = ErrorCode.PAYLOAD_TOO_LARGE


# Starlette's own refusals; what is not here was not foreseen.
_CODES_OF_STATUS = {
    401: ErrorCode.INVALID_TOKEN,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.NOT_FOUND,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
}


def problem(error: PytakeError, status: int | None = None, *, link: Link | None = None) -> Response:
    """Return the answer that tells a client of the error.

    Args:
        error: What was refused.
        status: Another status than that of the error's code.
        link: Signs addresses of files in what the error tells.
    """
    meaning = MEANINGS[error.code]
    status = status or getattr(error, "status", None) or meaning.status
    body: dict[str, Any] = {
        "type": "about:blank",
        "status": status,
        "code": error.code.value,
        "title": meaning.title,
        "detail": error.detail or meaning.title,
        "retryable": meaning.retryable,
        "trace_id": current_trace_id(),
        **error.extra,
    }
    if isinstance(error, StaleView):
        body["missing"] = event_items(error.missing, link)
    headers: dict[str, str] = {}
    retry_after_ms = error.retry_after_ms
    if status in (429, 503):
        retry_after_ms = retry_after_ms or DEFAULT_RETRY_AFTER_MS
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_ms / 1000)))
    if retry_after_ms is not None:
        body["retry_after_ms"] = retry_after_ms
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in (400, 401, 408, 413):
        # The rest of a body that nobody will read is not worth receiving.
        headers["Connection"] = "close"
    return Response(orjson.dumps(body), status, headers, PROBLEM)


def event_items(
    events: Sequence[ConversationEvent], link: Link | None = None
) -> list[dict[str, Any]]:
    """Return the events as REST gives them; `data` is spliced in as it was stored, but for
    the links of files, as on the socket."""
    return [
        {
            "seq": event.seq,
            "event": event.name,
            "data": orjson.Fragment(_data(event, link)),
            "created_at": wire_time(event.created_at),
        }
        for event in events
    ]


def _data(event: ConversationEvent, link: Link | None) -> bytes:
    if link is None or event.name != DurableEvent.MESSAGE_NEW:
        return event.data
    return with_links(event.data, link)


def install(app: FastAPI) -> None:
    """Let every error of the application's routes become a problem."""
    app.add_exception_handler(PytakeError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_bad_parameters)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_the_unforeseen)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, PytakeError)  # noqa: S101 - narrows what Starlette types as Exception
    note(request, error)
    return problem(error, link=request.app.state.api.link)


async def _on_bad_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    refusal = InvalidPayload(detail=first_mistake(error.errors()))
    note(request, refusal)
    return problem(refusal)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    code = _CODES_OF_STATUS.get(error.status_code, ErrorCode.INVALID_PAYLOAD)
    refusal = PytakeError(code)
    note(request, refusal)
    answer = problem(refusal, error.status_code)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


async def _on_the_unforeseen(request: Request, error: Exception) -> Response:
    """Answer only: Starlette raises it once more, and the edge writes the line."""
    return problem(PytakeError(ErrorCode.INTERNAL))


def note(request: Request, error: PytakeError) -> None:
    """Remember the code for the metrics. A refusal is a line at info, at most one a code and
    ten seconds; an unexpected error is one at error."""
    request.scope.setdefault("state", {})["error_code"] = error.code.value
    if error.code is ErrorCode.INTERNAL:
        log.error("internal error", exc_info=error)
    else:
        _note_refused(log, error.code.value, method=request.method)


def first_mistake(errors: Sequence[Mapping[str, Any]]) -> str:
    """Name the first wrong member, without repeating what was sent."""
    if not errors:
        return ""
    where = ".".join(
        str(part) for part in errors[0].get("loc", ()) if part not in ("query", "path")
    )
    message = str(errors[0].get("msg", "is not valid")).removeprefix("Value error, ")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{where}: {message}{more}"[:500] if where else f"{message}{more}"[:500]
