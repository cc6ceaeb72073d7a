"""Reading a JSON body: after authentication, within its limits, as a typed model.

FastAPI would read and parse a declared body before it solves any dependency, so bodies
are dependencies themselves here; `described` tells OpenAPI of them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from pytake.domain.errors import InvalidPayload
from pytake.messages_api.errors import (
    BodyIncomplete,
    BodyTooLarge,
    BodyTooSlow,
    NotJson,
    first_mistake,
)

Model = TypeVar("Model", bound=BaseModel)

MAX_DEPTH = 32
READ_SECONDS = 15
"""In which a whole JSON body must have arrived: slow uploads die early."""


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body, never buffering more of it than the limit.

    Raises:
        BodyTooLarge: It says or turns out to be larger.
        BodyTooSlow: It did not arrive in time.
        BodyIncomplete: The client hung up; nobody will see the answer.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise BodyTooLarge
    except TimeoutError:
        raise BodyTooSlow from None
    except ClientDisconnect:
        raise BodyIncomplete from None
    return bytes(body)


async def receive_body(request: Request) -> bytes:
    """Return the body of a request, read at the first call and kept for the next ones.

    Raises:
        BodyTooLarge, BodyTooSlow: As `read_body`, with the limit of the API.
    """
    known: bytes | None = getattr(request.state, "body", None)
    if known is None:
        limit: int = request.app.state.api.max_body_bytes
        known = request.state.body = await read_body(request, limit)
    return known


def parse(body: bytes, model: type[Model]) -> Model:
    """Return the body as a model.

    Raises:
        NotJson: The bytes are no JSON.
        InvalidPayload: They are, but not of the shape that the model describes.
    """
    try:
        value = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        raise NotJson(detail="The body is not JSON.") from None
    _check_values(value, MAX_DEPTH)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        mistakes = error.errors(include_input=False, include_url=False, include_context=False)
        raise InvalidPayload(detail=first_mistake(mistakes)) from None


def _check_values(value: Any, depth: int) -> None:
    """Refuse what no database could keep or no reader follow: NUL, and nesting without end."""
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidPayload(detail="Texts must not contain the character U+0000.")
    elif isinstance(value, dict | list):
        if depth == 0:
            raise InvalidPayload(detail=f"The body is nested more than {MAX_DEPTH} deep.")
        for part in value.items() if isinstance(value, dict) else value:
            for each in part if isinstance(part, tuple) else (part,):
                _check_values(each, depth - 1)


def json_body(
    model: type[Model], *, or_nothing: bool = False
) -> Callable[[Request], Awaitable[Model]]:
    """Return a dependency that gives the request's body as the model.

    Args:
        model: The shape of the body.
        or_nothing: Whether no body at all counts as `{}`.
    """

    async def body(request: Request) -> Model:
        raw = await receive_body(request)
        return parse(b"{}" if or_nothing and not raw else raw, model)

    return body


def described(*models: type[BaseModel]) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that takes one of the models as body."""
    references = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    schema = references[0] if len(references) == 1 else {"oneOf": references}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
