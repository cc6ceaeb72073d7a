"""Refuses polling bodies that are too large before stock sockets read them.

Direct sockets do so themselves; stock Engine.IO answers 500 and keeps the session.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def limit_bodies(app: Application, path: str, max_bytes: int) -> Application:
    """Return the application, with 413 for requests under the path that announce more.

    A request that does not say how much it will send is refused, too.
    """
    prefix = f"/{path.strip('/')}/"

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        if is_post and scope["path"].startswith(prefix) and _announced(scope) > max_bytes:
            headers = [(b"content-length", b"0"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 413, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            await app(scope, receive, send)

    return limited


def _announced(scope: Scope) -> float:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return float("inf")
