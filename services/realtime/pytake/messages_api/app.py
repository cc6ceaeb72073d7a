"""Puts the API together: routes, errors, pages, and the layers around them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

import pytake
from pytake.messages_api import (
    administration,
    contacts,
    conversations,
    docs_page,
    errors,
    media,
    messages,
    notes,
    sessions,
    users,
)
from pytake.messages_api.answers import PREFIX
from pytake.messages_api.door import Door
from pytake.messages_api.edge import Direct, Edge
from pytake.messages_api.pages import pages
from pytake.messages_api.services import Services
from pytake.observability.metrics import Metrics
from pytake.observability.tracing import Tracing


def create_app(
    services: Services,
    *,
    metrics: Metrics | None = None,
    tracing: Tracing | None = None,
    allowed_origins: Sequence[str] = (),
    has_docs: bool = False,
    inbox: Path | None = None,
    direct: Mapping[str, ASGIApp] | None = None,
) -> ASGIApp:
    """Return the public application of an API process.

    Args:
        services: Ports and use cases.
        metrics: The figures of the process; new ones that nobody reads if None.
        tracing: The tracer of the process; None: trace ids alone.
        allowed_origins: Pages of other origins that may call the API.
        has_docs: Whether to serve `/openapi.json` and `/docs`.
        inbox: The folder of the built inbox.
        direct: Applications with full paths and a protection of their own (webhooks): they are
            reached before tokens, limits and routes, which would cost more than they do.
    """
    app = build_routes(services, has_docs=has_docs)
    app.mount("/", pages(inbox))
    outer: ASGIApp = Door(app, services.verify, services.throttle)
    if allowed_origins:
        outer = CORSMiddleware(
            outer,
            allow_origins=list(allowed_origins),
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "traceparent"],
            expose_headers=["Retry-After"],
            max_age=600,
        )
    if direct:
        outer = Direct(outer, direct)
    return Edge(outer, metrics=metrics or Metrics("api"), tracing=tracing or Tracing())


def build_routes(services: Services, *, has_docs: bool = False) -> FastAPI:
    """Return the FastAPI application alone, whose `openapi()` is the document of the API."""
    app = FastAPI(
        title="PyTake Realtime",
        version=pytake.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # The edge traces and counts; FastAPI's own telemetry would do both once more.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.api = services
    app.openapi = lambda: docs_page.openapi(app)  # type: ignore[method-assign]
    errors.install(app)
    modules = (conversations, contacts, messages, notes, media, sessions, users, administration)
    for module in modules:
        app.include_router(module.router, prefix=PREFIX)

    @app.get("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        """Whether the process answers; `/readyz` of the inner port knows more."""
        return {"status": "ok", "version": pytake.__version__}

    if has_docs:
        docs_page.install(app)
    return app
