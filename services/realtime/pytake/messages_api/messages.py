"""Routes of messages: a page of them, and writing one."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from pytake.application.send_message import Draft
from pytake.application.visible import visible_conversation
from pytake.contract.bodies import MessageBody, SendMessage, SendMessageTo
from pytake.contract.present import message_body
from pytake.domain.errors import Unavailable
from pytake.domain.ids import ConversationId, MessageId
from pytake.domain.principal import Principal
from pytake.messages_api.answers import BeforeSeq, ConversationInPath, Limit, answer, page
from pytake.messages_api.authentication import SignedIn
from pytake.messages_api.json_bodies import described, json_body
from pytake.messages_api.services import Services, services_of
from pytake.observability.trace_context import current_traceparent

router = APIRouter(tags=["messages"])
Api = Annotated[Services, Depends(services_of)]


@router.get("/conversations/{conversation_id}/messages")
async def messages(
    principal: SignedIn,
    api: Api,
    conversation_id: ConversationInPath,
    before_seq: BeforeSeq = None,
    limit: Limit = 50,
) -> Response:
    """The newest page below `before_seq`, in `seq` order; `next_cursor` is the next one."""
    await visible_conversation(api.reader, principal, conversation_id)
    found = await api.reader.messages(conversation_id, before_seq=before_seq, limit=limit)
    return page([message_body(each, api.link) for each in found.items], found.next_cursor)


@router.post(
    "/conversations/{conversation_id}/messages",
    status_code=201,
    response_model=MessageBody,
    openapi_extra=described(SendMessage),
)
async def send_message(
    principal: SignedIn,
    api: Api,
    conversation_id: ConversationInPath,
    body: Annotated[SendMessage, Depends(json_body(SendMessage))],
) -> Response:
    """Write to the customer. 200 with the stored message if `client_message_id` is known."""
    return await _send(api, principal, conversation_id, body)


@router.post(
    "/messages",
    status_code=201,
    response_model=MessageBody,
    openapi_extra=described(SendMessageTo),
)
async def send_message_to(
    principal: SignedIn,
    api: Api,
    body: Annotated[SendMessageTo, Depends(json_body(SendMessageTo))],
) -> Response:
    """The same with the conversation in the body."""
    return await _send(api, principal, ConversationId(body.conversation_id), body)


async def _send(
    api: Services, principal: Principal, conversation_id: ConversationId, body: SendMessage
) -> Response:
    committed = await api.send_message(
        principal,
        conversation_id,
        Draft(
            message_type=body.message_type,
            content=body.content,
            client_message_id=body.client_message_id,
            based_on_seq=body.based_on_seq,
            retry_of=None if body.retry_of is None else MessageId(body.retry_of),
            traceparent=current_traceparent() or None,
        ),
    )
    if committed.message is None:
        raise Unavailable
    return answer(message_body(committed.message, api.link), 201 if committed.is_new else 200)
