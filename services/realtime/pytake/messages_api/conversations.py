"""Routes of conversations: the list, one of them, its rights and its read position."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from pytake.application.ports import ConversationChange, ConversationQuery, ReplayRequest
from pytake.application.visible import visible_conversation
from pytake.contract.bodies import (
    ChangeConversation,
    ConversationBody,
    MarkConversationRead,
    OpenConversation,
)
from pytake.contract.present import conversation_body
from pytake.domain.conversation import ConversationStatus
from pytake.domain.errors import InvalidPayload
from pytake.domain.ids import ChannelId, UserId
from pytake.messages_api.answers import (
    AfterSeq,
    ConversationInPath,
    Cursor,
    Limit,
    QueryText,
    answer,
    page,
    uuid_or_refuse,
)
from pytake.messages_api.authentication import SignedIn
from pytake.messages_api.errors import event_items
from pytake.messages_api.json_bodies import described, json_body
from pytake.messages_api.services import Services, services_of

router = APIRouter(tags=["conversations"])
Api = Annotated[Services, Depends(services_of)]


@router.get("/conversations")
async def conversations(
    principal: SignedIn,
    api: Api,
    cursor: Cursor = None,
    limit: Limit = 50,
    status: ConversationStatus | None = None,
    assigned_to: Annotated[str | None, Query(max_length=36)] = None,
    q: QueryText = "",
    label: QueryText = "",
) -> Response:
    """What the principal may see, newest activity first. `assigned_to`: an id, `me` or `none`."""
    if assigned_to not in (None, "me", "none"):
        assigned_to = uuid_or_refuse("assigned_to", assigned_to or "")
    query = ConversationQuery(
        cursor, limit, status, assigned_to, q.strip() or None, label.strip() or None
    )
    found = await api.reader.conversations(principal, query)
    return page([conversation_body(each, api.link) for each in found.items], found.next_cursor)


@router.post(
    "/conversations",
    status_code=201,
    response_model=ConversationBody,
    openapi_extra=described(OpenConversation),
)
async def open_conversation(
    principal: SignedIn,
    api: Api,
    body: Annotated[OpenConversation, Depends(json_body(OpenConversation))],
) -> Response:
    """Begin a conversation with a customer; 200 if there is one already."""
    committed = await api.open_conversation(
        principal,
        name=body.contact.name,
        phone=body.contact.phone,
        channel_id=None if body.channel_id is None else ChannelId(body.channel_id),
    )
    # Read again: the commit counts unread messages of everybody, the list those of the reader.
    conversation = await visible_conversation(api.reader, principal, committed.conversation.id)
    return answer(conversation_body(conversation, api.link), 201 if committed.is_new else 200)


@router.get("/conversations/{conversation_id}", response_model=ConversationBody)
async def conversation(
    principal: SignedIn, api: Api, conversation_id: ConversationInPath
) -> Response:
    """One conversation, with the principal's own unread count."""
    found = await visible_conversation(api.reader, principal, conversation_id)
    return answer(conversation_body(found, api.link))


@router.patch(
    "/conversations/{conversation_id}",
    response_model=ConversationBody,
    openapi_extra=described(ChangeConversation),
)
async def change_conversation(
    principal: SignedIn,
    api: Api,
    conversation_id: ConversationInPath,
    body: Annotated[ChangeConversation, Depends(json_body(ChangeConversation))],
) -> Response:
    """Take it, hand it on, give it back (`assigned_to: null`), close, reopen or label it."""
    if "status" in body.model_fields_set and body.status is None:
        raise InvalidPayload(detail="status: must be open or closed")
    committed = await api.change_conversation(
        principal,
        conversation_id,
        ConversationChange(
            reassign="assigned_to" in body.model_fields_set,
            assigned_to=None if body.assigned_to is None else UserId(body.assigned_to),
            status=body.status,
            add_labels=tuple(body.add_labels),
            remove_labels=tuple(body.remove_labels),
        ),
    )
    # Read again for the reader's own count. Should somebody have taken it meanwhile, what this
    # change made of it is told all the same.
    own = await api.reader.conversation(principal, conversation_id)
    return answer(conversation_body(own or committed.conversation, api.link))


@router.get("/conversations/{conversation_id}/events")
async def events(
    principal: SignedIn,
    api: Api,
    conversation_id: ConversationInPath,
    after_seq: AfterSeq = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Every row of the log after `after_seq`, nothing coalesced; go on with `next_cursor`."""
    await visible_conversation(api.reader, principal, conversation_id)
    request = ReplayRequest(conversation_id, after_seq, limit + 1)
    rows = (await api.event_log.replay([request])).get(conversation_id, ())
    shown = rows[:limit]
    next_cursor = str(shown[-1].seq) if len(rows) > limit else None
    return page(event_items(shown, api.link), next_cursor)


@router.post("/conversations/{conversation_id}/read", openapi_extra=described(MarkConversationRead))
async def mark_read(
    principal: SignedIn,
    api: Api,
    conversation_id: ConversationInPath,
    body: Annotated[MarkConversationRead, Depends(json_body(MarkConversationRead))],
) -> Response:
    """Move the principal's read position up to `seq`; never back."""
    position = await api.mark_read(principal, conversation_id, body.seq)
    return answer(
        {
            "conversation_id": conversation_id,
            "seq": position.seq,
            "unread_count": position.unread_count,
        }
    )
