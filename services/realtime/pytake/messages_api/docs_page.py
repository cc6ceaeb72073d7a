"""`/openapi.json` and `/docs`, with assets of our own: nothing is loaded from elsewhere.

Off unless enabled. The page lists what the document says; it runs no requests.
"""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pytake.contract import bodies

_ASSETS = Path(__file__).parent / "assets"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {"docs.html": "text/html", "docs.js": "text/javascript", "docs.css": "text/css"}


def openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with the bodies that the routes read by themselves."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title="PyTake Realtime",
        version=app.version,
        description="Lists are `{items, next_cursor}`; errors are `application/problem+json`.",
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    _, definitions = models_json_schema(
        [(model, "validation") for model in _models()],
        ref_template="#/components/schemas/{model}",
    )
    schemas.update(definitions["$defs"])
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if not path.startswith("/api/v1/auth/"):
                operation["security"] = [{"bearer": []}]
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = _PROBLEM
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    app.openapi_schema = document
    return document


_PROBLEM = {
    "description": "Refused, with a code that says why and whether to try again.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def _models() -> list[type[BaseModel]]:
    """Return the bodies that routes read by themselves, and the one of every refusal."""
    requests: list[type[BaseModel]] = [
        model
        for model in vars(bodies).values()
        if isinstance(model, type)
        and issubclass(model, bodies.Request)
        and model is not bodies.Request
    ]
    return [*requests, bodies.Problem]


def install(app: FastAPI) -> None:
    """Add the two routes."""

    async def document(_: Request) -> Response:
        return JSONResponse(openapi(app))

    async def asset(request: Request) -> Response:
        name = request.path_params.get("name", "docs.html")
        if name not in _TYPES:
            name = "docs.html"
        return Response(
            (_ASSETS / name).read_bytes(),
            media_type=_TYPES[name],
            headers={"Content-Security-Policy": _POLICY},
        )

    app.add_route("/openapi.json", document, include_in_schema=False)
    app.add_route("/docs", asset, include_in_schema=False)
    app.add_route("/docs/{name}", asset, include_in_schema=False)
