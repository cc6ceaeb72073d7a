"""The webhook that Meta calls: verification and signed deliveries.

A delivery is answered with 200 after its raw body is stored and before anything is done
with it. The body is judged by its signature alone: what is in it, the worker will see.
"""

import hmac
from collections.abc import Awaitable, Callable, Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from pytake.domain.errors import PytakeError, TooMuch
from pytake.observability.trace_context import current_traceparent
from pytake.whatsapp.signature import is_signed

PATH = "/api/v1/webhooks/whatsapp"

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Meta sends up to 3 MB; the rest is room for what it counts otherwise."""

Append = Callable[[bytes, str | None], Awaitable[None]]
Count = Callable[[str], None]


class _TooLarge(Exception):
    pass


def webhook_router(
    append: Append,
    *,
    verify_token: str | None,
    secrets: Sequence[bytes],
    count: Count = lambda outcome: None,
) -> APIRouter:
    """Return the two routes, without authentication or rate limit of their own.

    Args:
        append: Stores a body and its traceparent durably (`AppendBatch.append`).
        verify_token: What Meta must name at set-up; None refuses every verification.
        secrets: The app secret and the previous one; none refuses every delivery.
        count: Told the outcome of each delivery: accepted, unsigned, too_large, unavailable.
    """
    router = APIRouter()

    @router.get(PATH, include_in_schema=False)
    async def verify(request: Request) -> Response:
        query = request.query_params
        given = query.get("hub.verify_token", "").encode()
        if (
            verify_token is None
            or query.get("hub.mode") != "subscribe"
            or not hmac.compare_digest(given, verify_token.encode())
        ):
            return PlainTextResponse("verification refused", 403)
        return PlainTextResponse(query.get("hub.challenge", ""))

    @router.post(PATH, include_in_schema=False)
    async def deliver(request: Request) -> Response:
        try:
            body = await _read(request)
        except _TooLarge:
            count("too_large")
            return PlainTextResponse("body too large", 413)
        if not is_signed(body, request.headers.get("x-hub-signature-256"), secrets):
            count("unsigned")
            return PlainTextResponse("signature refused", 401)
        try:
            await append(body, current_traceparent() or None)
        except PytakeError as error:
            count("overloaded" if isinstance(error, TooMuch) else "unavailable")
            return PlainTextResponse("try again", 503, headers={"Retry-After": "5"})
        count("accepted")
        return Response(status_code=200)

    return router


async def _read(request: Request) -> bytes:
    """Read the body, but never more of it than the limit."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise _TooLarge
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _TooLarge
        chunks.append(chunk)
    return b"".join(chunks)
