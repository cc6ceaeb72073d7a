"""The outermost layer of the API: trace, figures, security headers, and the last resort.

Plain ASGI, so that streaming stays streaming and an error in any layer below is caught.
"""

import re
import time
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from pytake.domain.errors import ErrorCode, PytakeError
from pytake.messages_api.answers import PREFIX
from pytake.messages_api.errors import problem
from pytake.observability.metrics import Metrics
from pytake.observability.trace_context import is_sampled, trace_id_of
from pytake.observability.tracing import Tracing

log = structlog.get_logger(__name__)

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}

OF_DATA = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""What no layer below has set: answers with data are shown by nobody and kept by nobody."""

OVER_TLS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}

OTHER = ("other", "other")
"""Where nothing is offered under the prefix."""

_PARAMETER = re.compile(r"\{[^}]*\}")


class Edge:
    """Wraps the application of the API."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, tracing: Tracing) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        began, status, is_complete = time.perf_counter(), 0, False

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal status, is_complete
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), is_secure=scope["scheme"] == "https")
            elif message["type"] == "http.response.body":
                is_complete = not message.get("more_body", False)
            await send(message)

        def outcome() -> tuple[str, Mapping[str, str | int]]:
            name = " ".join(_route_of(scope) or (scope["method"], "page"))
            return name, {"http.response.status_code": status}

        incoming = _header(scope, b"traceparent")
        with self._tracing.request(scope["method"], incoming, outcome=outcome) as traceparent:
            try:
                await self._app(scope, receive, send_with_headers)
            except Exception:
                log.exception("request failed", route=" ".join(_route_of(scope) or OTHER))
                scope["state"]["error_code"] = ErrorCode.INTERNAL.value
                if is_complete:
                    # Told already, by the application's own handler; one line is enough.
                    return
                if status:
                    raise
                await problem(PytakeError(ErrorCode.INTERNAL))(scope, receive, send_with_headers)
            finally:
                self._count(scope, status, time.perf_counter() - began, traceparent)

    def _count(self, scope: Scope, status: int, seconds: float, traceparent: str) -> None:
        found = _route_of(scope)
        if found is None:
            return
        method, route = found
        of = self._metrics
        of.http_requests.inc(method, route, f"{status // 100}xx")
        cell = of.http_request_duration_seconds.cell(method, route)
        if is_sampled(traceparent):
            cell.observe_traced(seconds, trace_id_of(traceparent))
        else:
            cell.observe(seconds)
        code = scope["state"].get("error_code")
        if code is not None:
            of.http_errors.inc(code)
        if code == ErrorCode.RATE_LIMITED.value:
            of.rate_limited.inc("login" if route == "/auth/login" else "http")
        if route == "/auth/login":
            of.logins.inc("ok" if status < 400 else "refused" if status < 500 else "error")


class Direct:
    """Hands whole paths to applications that need nothing of the API around them."""

    def __init__(self, app: ASGIApp, direct: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the application of the path, or by all the rest."""
        path = scope.get("path", "")
        app = self._direct.get(path) if scope["type"] == "http" else None
        if app is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = path.removeprefix(PREFIX)
        await app(scope, receive, send)


def _add_headers(headers: MutableHeaders, *, is_secure: bool) -> None:
    for name, value in ALWAYS.items():
        headers[name] = value
    for name, value in OF_DATA.items():
        headers.setdefault(name, value)
    if is_secure:
        headers.update(OVER_TLS)


def _header(scope: Scope, name: bytes) -> str | None:
    for each, value in scope["headers"]:
        if each == name:
            text: str = value.decode("latin-1")
            return text
    return None


def _route_of(scope: Scope) -> tuple[str, str] | None:
    """Return (method, route below the prefix), each parameter as `{id}`; None for pages."""
    if not scope["path"].startswith(PREFIX):
        return None
    route = scope.get("route")
    if isinstance(route, str):
        return (scope["method"], route) if scope["method"] in ("GET", "POST") else OTHER
    if not isinstance(route, APIRoute):
        return OTHER
    return scope["method"], _PARAMETER.sub("{id}", route.path.removeprefix(PREFIX))
