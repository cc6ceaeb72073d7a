"""Routes of what colleagues keep for each other: notes, labels, canned replies."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from pytake.application.visible import visible_conversation
from pytake.contract.bodies import (
    CannedReplyBody,
    ChangeCannedReply,
    NewCannedReply,
    NoteBody,
    WriteNote,
)
from pytake.contract.present import canned_reply_body, note_body
from pytake.domain.ids import CannedReplyId, NoteId
from pytake.messages_api.answers import (
    BeforeSeq,
    ConversationInPath,
    Limit,
    answer,
    page,
    uuid_or_refuse,
)
from pytake.messages_api.authentication import SignedIn
from pytake.messages_api.json_bodies import described, json_body
from pytake.messages_api.services import Services, services_of

router = APIRouter(tags=["team"])
Api = Annotated[Services, Depends(services_of)]
_UuidPath = Path(json_schema_extra={"format": "uuid"})


async def _note_id(note_id: Annotated[str, _UuidPath]) -> NoteId:
    return NoteId(uuid_or_refuse("note_id", note_id))


async def _canned_reply_id(canned_reply_id: Annotated[str, _UuidPath]) -> CannedReplyId:
    return CannedReplyId(uuid_or_refuse("canned_reply_id", canned_reply_id))


NoteInPath = Annotated[NoteId, Depends(_note_id)]
CannedReplyInPath = Annotated[CannedReplyId, Depends(_canned_reply_id)]


@router.get("/conversations/{conversation_id}/notes")
async def notes(
    principal: SignedIn,
    api: Api,
    conversation_id: ConversationInPath,
    before_seq: BeforeSeq = None,
    limit: Limit = 50,
) -> Response:
    """The newest page of notes below `before_seq`, in `seq` order."""
    await visible_conversation(api.reader, principal, conversation_id)
    found = await api.notes.notes(conversation_id, before_seq=before_seq, limit=limit)
    return page([note_body(each) for each in found.items], found.next_cursor)


@router.post(
    "/conversations/{conversation_id}/notes",
    status_code=201,
    response_model=NoteBody,
    openapi_extra=described(WriteNote),
)
async def write_note(
    principal: SignedIn,
    api: Api,
    conversation_id: ConversationInPath,
    body: Annotated[WriteNote, Depends(json_body(WriteNote))],
) -> Response:
    """Note something for colleagues; 200 with the stored note if its `id` is known."""
    note, is_new = await api.write_note(
        principal, conversation_id, body.text, None if body.id is None else NoteId(body.id)
    )
    return answer(note_body(note), 201 if is_new else 200)


@router.delete("/conversations/{conversation_id}/notes/{note_id}", status_code=204)
async def remove_note(
    principal: SignedIn, api: Api, conversation_id: ConversationInPath, note_id: NoteInPath
) -> Response:
    """Take a note back, as its author or as an admin."""
    await api.write_note.remove(principal, conversation_id, note_id)
    return Response(status_code=204)


@router.get("/labels")
async def labels(principal: SignedIn, api: Api) -> Response:
    """The labels that the organization uses, sorted."""
    names = await api.notes.label_names(principal.organization_id)
    return page([{"name": name} for name in names], None)


@router.get("/canned-replies")
async def canned_replies(principal: SignedIn, api: Api) -> Response:
    """The texts that the team has ready, by shortcut."""
    found = await api.canned_replies.all(principal)
    return page([canned_reply_body(each) for each in found], None)


@router.post(
    "/canned-replies",
    status_code=201,
    response_model=CannedReplyBody,
    openapi_extra=described(NewCannedReply),
)
async def add_canned_reply(
    principal: SignedIn,
    api: Api,
    body: Annotated[NewCannedReply, Depends(json_body(NewCannedReply))],
) -> Response:
    """Keep a text for everybody in the organization."""
    reply = await api.canned_replies.add(principal, body.shortcut, body.text)
    return answer(canned_reply_body(reply), 201)


@router.patch(
    "/canned-replies/{canned_reply_id}",
    response_model=CannedReplyBody,
    openapi_extra=described(ChangeCannedReply),
)
async def change_canned_reply(
    principal: SignedIn,
    api: Api,
    canned_reply_id: CannedReplyInPath,
    body: Annotated[ChangeCannedReply, Depends(json_body(ChangeCannedReply))],
) -> Response:
    """Change its shortcut or its text."""
    reply = await api.canned_replies.change(
        principal, canned_reply_id, shortcut=body.shortcut, text=body.text
    )
    return answer(canned_reply_body(reply))


@router.delete("/canned-replies/{canned_reply_id}", status_code=204)
async def remove_canned_reply(
    principal: SignedIn, api: Api, canned_reply_id: CannedReplyInPath
) -> Response:
    """Remove it."""
    await api.canned_replies.remove(principal, canned_reply_id)
    return Response(status_code=204)
