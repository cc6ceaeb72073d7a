"""The door in front of Socket.IO: refuses handshakes and bodies before they cost anything.

Known sessions always pass: while a pod drains, the next request of a polling session
would find no session elsewhere.
"""

import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from pytake.domain.errors import ErrorCode
from pytake.gateway.admission import Admission, Refusal
from pytake.gateway.registry import Registry
from pytake.observability.metrics import Metrics

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

AFFINITY_COOKIE = "pytake_affinity"


class Door:
    """Wraps an ASGI application; see `around`."""

    def __init__(
        self, admission: Admission, registry: Registry, path: str, metrics: Metrics
    ) -> None:
        self._admission = admission
        self._registry = registry
        self._path = f"/{path.strip('/')}"
        self._metrics = metrics

    def around(self, app: Application, *, max_body_bytes: int) -> Application:
        """Return the application behind the door."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] not in ("http", "websocket") or not self._is_ours(scope):
                await app(scope, receive, send)
            elif scope["type"] == "http" and _body_length(scope) > max_body_bytes:
                await _answer(scope, send, 413, b"payload_too_large")
            elif (refusal := self._refusal(scope)) is not None:
                self._metrics.connections_rejected.inc(refusal.code.value)
                await _refuse(scope, receive, send, refusal)
            else:
                await app(scope, receive, send)

        return guarded

    def _is_ours(self, scope: Scope) -> bool:
        path: str = scope["path"]
        return path == self._path or path.startswith(f"{self._path}/")

    def _refusal(self, scope: Scope) -> Refusal | None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            return None
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        return None if "sid" in query else self._admission.refusal(len(self._registry))


def _body_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    if scope["type"] == "websocket":
        await receive()
    headers = [(b"retry-after", str(math.ceil(refusal.retry_after_seconds)).encode())]
    if refusal.code is ErrorCode.DRAINING:
        # The proxy must not send this client here again.
        cookie = f"{AFFINITY_COOKIE}=; Path=/; Max-Age=0"
        headers.append((b"set-cookie", cookie.encode()))
    await _answer(scope, send, 503, refusal.code.value.encode(), headers)


async def _answer(
    scope: Scope,
    send: Send,
    status: int,
    text: bytes,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    prefix = "websocket.http" if scope["type"] == "websocket" else "http"
    if scope["type"] == "websocket" and "websocket.http.response" not in scope["extensions"]:
        await send({"type": "websocket.close", "code": 1013, "reason": text.decode()})
        return
    all_headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
        *(headers or []),
    ]
    await send({"type": f"{prefix}.response.start", "status": status, "headers": all_headers})
    await send({"type": f"{prefix}.response.body", "body": text})
