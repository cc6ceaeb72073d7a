"""JSON answers, and the parts of a request that several routes share."""

from typing import Annotated, Any

import orjson
from fastapi import Depends, Path, Query
from starlette.responses import Response

from pytake.contract.client_events import MAX_SEQ
from pytake.domain.errors import InvalidPayload
from pytake.domain.ids import ConversationId, UserId, parse_uuid

PREFIX = "/api/v1"


def answer(body: Any, status: int = 200) -> Response:
    """Return an object as JSON; the bodies of `contract.present` are already what clients get."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def page(items: list[Any], next_cursor: str | None) -> Response:
    """Return a part of a list."""
    return answer({"items": items, "next_cursor": next_cursor})


def uuid_or_refuse(name: str, value: str) -> str:
    """Return the canonical form of a UUID.

    Raises:
        InvalidPayload: It is none.
    """
    canonical = parse_uuid(value)
    if canonical is None:
        raise InvalidPayload(detail=f"{name}: must be a UUID")
    return canonical


_UuidPath = Path(json_schema_extra={"format": "uuid"})


async def _conversation_id(conversation_id: Annotated[str, _UuidPath]) -> ConversationId:
    return ConversationId(uuid_or_refuse("conversation_id", conversation_id))


async def _user_id(user_id: Annotated[str, _UuidPath]) -> UserId:
    return UserId(uuid_or_refuse("user_id", user_id))


ConversationInPath = Annotated[ConversationId, Depends(_conversation_id)]
UserInPath = Annotated[UserId, Depends(_user_id)]

# No control characters: a database refuses U+0000, and none of them is ever meant.
QueryText = Annotated[str, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Cursor = Annotated[str | None, Query(max_length=512, pattern=r"^[\x21-\x7e]*$")]
Limit = Annotated[int, Query(ge=1, le=200)]
AfterSeq = Annotated[int, Query(ge=0, le=MAX_SEQ)]
BeforeSeq = Annotated[int | None, Query(ge=1, le=MAX_SEQ)]
