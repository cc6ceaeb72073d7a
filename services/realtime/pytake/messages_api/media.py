"""Routes of files: uploading one, and reading one by token or by a link that was signed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Message

from pytake.contract.bodies import MediaBody
from pytake.domain.errors import InvalidPayload
from pytake.domain.media import MAX_FILE_BYTES, SHOWN_INLINE, UNKNOWN
from pytake.domain.principal import Principal
from pytake.messages_api.answers import answer, uuid_or_refuse
from pytake.messages_api.authentication import SignedInWithoutTurn, signed_in, turn_of
from pytake.messages_api.errors import BodyIncomplete, BodyTooLarge, BodyTooSlow
from pytake.messages_api.services import Services, services_of

router = APIRouter(tags=["media"])
Api = Annotated[Services, Depends(services_of)]

FILES_AT_ONCE = 4
"""Whose bytes are in memory; what is still coming is not."""

UPLOAD_SECONDS = 300
FORM_BYTES = 16_384
"""What a form may be larger than the file in it."""

KEPT_SECONDS = 3600
# Each refusal is counted; a line each would be a flood.
logging.getLogger("python_multipart").setLevel(logging.ERROR)
_at_once = asyncio.Semaphore(FILES_AT_ONCE)

_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


@router.post("/media", status_code=201, response_model=MediaBody, openapi_extra=_UPLOAD)
async def upload(request: Request, principal: SignedInWithoutTurn, api: Api) -> Response:
    """Keep a file; `id` is the `media_id` of a message. A form with one part named `file`."""
    async with _received_form(request) as file, turn_of(api, principal), _at_once:
        record = await api.files.store(
            principal,
            filename=file.filename or "",
            declared_type=file.content_type or UNKNOWN,
            data=await file.read(),
        )
    return answer(
        {
            "id": record.id,
            "mime_type": record.mime_type,
            "filename": record.filename,
            "size": record.size,
            "media_url": api.link(record.id),
        },
        201,
    )


@asynccontextmanager
async def _received_form(request: Request) -> AsyncIterator[UploadFile]:
    """Give the one file of the form once all of it has come, within its bounds.

    What is larger than 1 MiB waits on disk meanwhile, not in memory.
    """
    limit = MAX_FILE_BYTES + FORM_BYTES
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise InvalidPayload(detail="Send a form (multipart/form-data) with one part `file`.")
    size = 0

    async def receive_within_limit() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise BodyTooLarge
        return message

    counted = Request(request.scope, receive_within_limit)
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            form = await counted.form(max_files=1, max_fields=8, max_part_size=FORM_BYTES)
    except TimeoutError:
        raise BodyTooSlow from None
    except ClientDisconnect:
        raise BodyIncomplete from None
    except (MultiPartException, HTTPException):
        raise InvalidPayload(detail="The form is not well formed.") from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidPayload(detail="file: is missing")
        yield file
    finally:
        await form.close()


async def _linked_or_signed_in(
    request: Request,
    api: Api,
    media_id: Annotated[str, Path(json_schema_extra={"format": "uuid"})],
    expires: Annotated[str, Query(max_length=16)] = "",
    signature: Annotated[str, Query(max_length=64)] = "",
) -> AsyncIterator[Principal | None]:
    if signature and api.link.is_good(media_id, expires, signature):
        yield None
        return
    async with signed_in(request, api) as principal:
        yield principal


@router.get("/media/{media_id}", response_class=Response)
async def download(
    request: Request,
    media_id: str,
    principal: Annotated[Principal | None, Depends(_linked_or_signed_in, scope="function")],
    api: Api,
) -> Response:
    """The file, whole or a range of it. Without a token: by the `media_url` of a message."""
    record, size = await api.files.find(principal, uuid_or_refuse("media_id", media_id))
    is_shown = record.mime_type in SHOWN_INLINE
    headers = {
        "Content-Disposition": _disposition(record.filename, is_shown=is_shown),
        "Cache-Control": f"private, max-age={KEPT_SECONDS}",
        "Accept-Ranges": "bytes",
        # Should a browser take it for a page all the same, that page can do nothing.
        "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    }
    media_type = record.mime_type if is_shown else UNKNOWN
    wanted = _range(request.headers.get("range"), size)
    first, last = wanted or (0, size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    # In parts, as the client takes them: whole files of slow readers would fill the memory.
    parts = api.files.stream(record, first, last)
    return StreamingResponse(parts, 206 if wanted else 200, headers, media_type)


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return first and last byte of the one range asked for; None for the whole file."""
    unit, _, ends = (header or "").partition("=")
    start, dash, end = ends.partition("-")
    digits = start + end
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= 32
    if unit != "bytes" or not dash or not is_number:
        return None
    if not start:
        return (max(0, size - int(end)), size - 1) if int(end) else None
    first, last = int(start), min(int(end) if end else size - 1, size - 1)
    return (first, last) if first <= last else None


def _disposition(filename: str | None, *, is_shown: bool) -> str:
    kind = "inline" if is_shown else "attachment"
    return f"{kind}; filename*=UTF-8''{quote(filename, safe='')}" if filename else kind
