"""The webhook that Meta calls: verification and signed deliveries.

A delivery is answered with 200 after its raw body is stored and before anything is done
with it. The body is judged by its signature alone: what is in it, the worker will see.

Plain ASGI: at three deliveries for each message this is the busiest address of all, and a
web framework would cost more than everything that is done here.
"""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from pytake.domain.errors import PytakeError, TooMuch
from pytake.observability.trace_context import current_traceparent
from pytake.whatsapp.signature import is_signed

PATH = "/api/v1/webhooks/whatsapp"

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Meta sends up to 3 MB; the rest is room for what it counts otherwise."""

RETRY_AFTER = (b"retry-after", b"5")

Append = Callable[[bytes, str | None], Awaitable[None]]
Count = Callable[[str], None]


class _TooLarge(Exception):
    pass


class _Gone(Exception):
    """The sender hung up before the body was complete."""


class WebhookEndpoint:
    """One ASGI application for the one path, without authentication or rate limit of its own.

    Args:
        append: Stores a body and its traceparent durably (`AppendBatch.append`).
        verify_token: What Meta must name at set-up; None refuses every verification.
        secrets: The app secret and the previous one; none refuses every delivery.
        count: Told the outcome of each delivery: accepted, unsigned, too_large, unavailable.
    """

    def __init__(
        self,
        append: Append,
        *,
        verify_token: str | None,
        secrets: Sequence[bytes],
        count: Count = lambda outcome: None,
    ) -> None:
        self._append = append
        self._verify_token = verify_token
        self._secrets = secrets
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "POST":
            await self._deliver(scope, receive, send)
        elif scope["method"] == "GET":
            await self._verify(scope, send)
        else:
            await _answer(send, 405, b"method not allowed", (b"allow", b"GET, POST"))

    async def _verify(self, scope: Scope, send: Send) -> None:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        given = _first(query, "hub.verify_token").encode()
        if (
            self._verify_token is None
            or _first(query, "hub.mode") != "subscribe"
            or not hmac.compare_digest(given, self._verify_token.encode())
        ):
            await _answer(send, 403, b"verification refused")
            return
        await _answer(send, 200, _first(query, "hub.challenge").encode())

    async def _deliver(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read(scope, receive)
        except _TooLarge:
            self._count("too_large")
            await _answer(send, 413, b"body too large")
            return
        except _Gone:
            self._count("unavailable")
            return
        if not is_signed(body, _header(scope, b"x-hub-signature-256"), self._secrets):
            self._count("unsigned")
            await _answer(send, 401, b"signature refused")
            return
        try:
            await self._append(body, current_traceparent() or None)
        except PytakeError as error:
            self._count("overloaded" if isinstance(error, TooMuch) else "unavailable")
            await _answer(send, 503, b"try again", RETRY_AFTER)
            return
        self._count("accepted")
        await _answer(send, 200, b"")


def _first(query: dict[str, list[str]], name: str) -> str:
    return query.get(name, [""])[0]


def _header(scope: Scope, name: bytes) -> str | None:
    for each, value in scope["headers"]:
        if each == name:
            text: str = value.decode("latin-1")
            return text
    return None


async def _answer(send: Send, status: int, text: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(text)).encode())
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send(
        {"type": "http.response.start", "status": status, "headers": [length, kind, *headers]}
    )
    await send({"type": "http.response.body", "body": text})


async def _read(scope: Scope, receive: Receive) -> bytes:
    """Read the body, but never more of it than the limit."""
    declared = _header(scope, b"content-length") or "0"
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise _TooLarge
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _TooLarge
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
