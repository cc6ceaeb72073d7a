"""The inner port of a process: probes, figures, drain, and who is connected.

    /livez                  the process turns; touches nothing
    /startupz               200 once everything is open
    /readyz                 200, or 503 with a reason each
    /metrics                figures, as Prometheus text or OpenMetrics with exemplars
    /internal/…             what the process adds, such as drain and connections
    /  /status              the live figures of this pod: a page for browsers, text for curl

Never reachable from outside: no proxy sends anything here.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest as generate_text
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics

from pytake.observability.metrics import Metrics
from pytake.observability.status_page import StatusPage

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Check = Callable[[], str | None]
"""Answers at once from what is known: None, or why the process is not fit."""

Handler = Callable[[Mapping[str, str]], Awaitable[tuple[int, Any]]]
"""Takes the query, returns status and an object for JSON (or text as `str`)."""

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Probes:
    """An ASGI application for the inner listener; `dev` mounts it on its one port.

    Args:
        metrics: The figures of the process.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.is_started = False
        self._readiness: dict[str, Check] = {}
        self._notes: dict[str, Check] = {}
        self._handlers: dict[str, Handler] = {
            "/livez": self._livez,
            "/startupz": self._startupz,
            "/readyz": self._readyz,
            "/status": self._status,
        }
        self.status = StatusPage(metrics, self.reasons)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        metrics.ready.read_from(lambda: float(self.is_ready))

    def add_check(self, name: str, check: Check) -> None:
        """Let the process be not ready while `check` returns a reason."""
        self._readiness[name] = check

    def add_note(self, name: str, check: Check) -> None:
        """Show a reason in /readyz that does not take the process out of service: when Redis
        is away and every pod left, that would be the outage."""
        self._notes[name] = check

    def add_handler(self, path: str, handler: Handler) -> None:
        """Answer GET of a path."""
        self._handlers[path] = handler

    def started(self) -> None:
        """Say that everything is open."""
        self.is_started = True

    @property
    def is_ready(self) -> bool:
        return self.is_started and not self.reasons()

    def reasons(self) -> dict[str, str]:
        """Return why the process is not ready, by check."""
        return _found(self._readiness)

    def handles(self, path: str) -> bool:
        """Whether a path belongs to the inner port, for who shares a listener with it."""
        return path == "/metrics" or path in self._handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, "method not allowed\n")
            return
        if scope["path"] == "/metrics":
            await self._send_metrics(scope, send)
            return
        if scope["path"] == "/" or (scope["path"] == "/status" and _is_browser(scope)):
            await _answer(send, 200, self.status.page(), content_type="text/html; charset=utf-8")
            return
        handler = self._handlers.get(scope["path"])
        if handler is None:
            await _answer(send, 404, "not found\n")
            return
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        status, body = await handler(query)
        await _answer(send, status, body)

    async def _livez(self, query: Mapping[str, str]) -> tuple[int, Any]:
        return 200, "ok\n"

    async def _startupz(self, query: Mapping[str, str]) -> tuple[int, Any]:
        return (200, "started\n") if self.is_started else (503, "starting\n")

    async def _readyz(self, query: Mapping[str, str]) -> tuple[int, Any]:
        reasons = self.reasons()
        if not self.is_started:
            reasons["startup"] = "not everything is open yet"
        answer: dict[str, Any] = {"ready": not reasons, "reasons": reasons}
        notes = _found(self._notes)
        if notes:
            answer["notes"] = notes
        return (503 if reasons else 200), answer

    async def _status(self, query: Mapping[str, str]) -> tuple[int, Any]:
        return 200, self.status.text() + "\n"

    async def _send_metrics(self, scope: Scope, send: Send) -> None:
        accepted = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        open_metrics = "application/openmetrics-text" in accepted
        figures = self.metrics.exposition(open_metrics=open_metrics)
        # What prometheus_client knows of the process (memory, CPU, descriptors); it ends with EOF.
        generate = generate_open_metrics if open_metrics else generate_text
        body = figures.encode() + generate(self._process)
        await _answer(send, 200, body, content_type=OPEN_METRICS if open_metrics else TEXT)


def _is_browser(scope: Scope) -> bool:
    return b"text/html" in dict(scope["headers"]).get(b"accept", b"")


def _found(checks: Mapping[str, Check]) -> dict[str, str]:
    answers = {name: check() for name, check in checks.items()}
    return {name: reason for name, reason in answers.items() if reason is not None}


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _answer(send: Send, status: int, body: Any, *, content_type: str = "") -> None:
    if isinstance(body, bytes):
        content = body
    elif isinstance(body, str):
        content, content_type = body.encode(), content_type or "text/plain; charset=utf-8"
    else:
        content, content_type = json.dumps(body).encode() + b"\n", "application/json"
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
