"""Routes of admins: numbers, what could not be worked, and who did what."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from pytake.application.ports import Channel, ChannelChange
from pytake.contract.bodies import ChangeChannel, NewChannel
from pytake.contract.times import wire_time
from pytake.domain.errors import NotFound
from pytake.domain.ids import ChannelId
from pytake.messages_api.answers import Cursor, Limit, answer, page, uuid_or_refuse
from pytake.messages_api.authentication import Admin, SignedIn
from pytake.messages_api.json_bodies import described, json_body
from pytake.messages_api.services import Services, services_of

router = APIRouter(tags=["administration"])
Api = Annotated[Services, Depends(services_of)]


async def _channel_id(
    channel_id: Annotated[str, Path(json_schema_extra={"format": "uuid"})],
) -> ChannelId:
    return ChannelId(uuid_or_refuse("channel_id", channel_id))


ChannelInPath = Annotated[ChannelId, Depends(_channel_id)]


def _channel_body(channel: Channel) -> dict[str, object]:
    """The access token is not among it: it never leaves the store and the sender."""
    return {
        "id": channel.id,
        "organization_id": channel.organization_id,
        "name": channel.name,
        "phone_number_id": channel.phone_number_id,
        "active": channel.is_active,
        "stopped_because": channel.stopped_because,
        "display_phone_number": channel.display_phone_number,
        "verified_name": channel.verified_name,
        "quality_rating": channel.quality_rating,
        "messaging_limit": channel.messaging_limit,
        "sends_read_marks": channel.sends_read_marks,
        "sends_typing": channel.sends_typing,
    }


@router.get("/channels")
async def channels(principal: Admin, api: Api) -> Response:
    """The WhatsApp numbers of the organization."""
    found = await api.channels.channels(principal.organization_id)
    return page([_channel_body(each) for each in found], None)


@router.post("/channels", status_code=201, openapi_extra=described(NewChannel))
async def create_channel(
    principal: Admin, api: Api, body: Annotated[NewChannel, Depends(json_body(NewChannel))]
) -> Response:
    """Add a WhatsApp number."""
    channel = await api.channels.create_channel(
        principal.organization_id,
        name=body.name,
        phone_number_id=body.phone_number_id,
        access_token=body.access_token,
        sends_read_marks=body.sends_read_marks,
        sends_typing=body.sends_typing,
    )
    return answer(_channel_body(channel), 201)


@router.get("/channels/news")
async def channel_news(
    principal: Admin, api: Api, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """What WhatsApp told of numbers, templates and the account, newest first."""
    found = await api.news.items(principal.organization_id, cursor=cursor, limit=limit)
    return page(
        [
            {
                "id": each.id,
                "channel_id": each.channel_id,
                "kind": each.kind,
                "details": dict(each.details),
                "received_at": wire_time(each.received_at),
            }
            for each in found.items
        ],
        found.next_cursor,
    )


@router.patch("/channels/{channel_id}", openapi_extra=described(ChangeChannel))
async def change_channel(
    principal: Admin,
    api: Api,
    channel_id: ChannelInPath,
    body: Annotated[ChangeChannel, Depends(json_body(ChangeChannel))],
) -> Response:
    """Rename a number, give it a new token, or choose what its customers see of agents."""
    changed = await api.channels.change_channel(
        principal.organization_id,
        channel_id,
        ChannelChange(
            name=body.name,
            access_token=body.access_token,
            sends_read_marks=body.sends_read_marks,
            sends_typing=body.sends_typing,
        ),
    )
    if changed is None:
        raise NotFound
    return answer(_channel_body(changed))


@router.get("/templates")
async def templates(principal: SignedIn, api: Api) -> Response:
    """The texts that may be sent outside the 24-hour window."""
    found = await api.templates.templates(principal.organization_id)
    return page(
        [
            {
                "channel_id": each.channel_id,
                "name": each.name,
                "language": each.language,
                "status": each.status,
                "category": each.category,
                "components": list(each.components),
            }
            for each in found
        ],
        None,
    )


@router.get("/quarantine")
async def quarantine(
    principal: Admin, api: Api, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Parts of webhooks that could not be worked, newest first."""
    found = await api.quarantine.items(principal.organization_id, cursor=cursor, limit=limit)
    return page(
        [
            {
                "id": each.id,
                "reason": each.reason,
                "item": each.item,
                "received_at": wire_time(each.received_at),
            }
            for each in found.items
        ],
        found.next_cursor,
    )


@router.get("/audit")
async def audit(principal: Admin, api: Api, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Who did what: logins, assignments, revocations and exports, newest first."""
    found = await api.audit.entries(principal.organization_id, cursor=cursor, limit=limit)
    return page(
        [
            {
                "id": each.id,
                "at": wire_time(each.at),
                "action": each.action,
                "actor": each.actor,
                "subject": each.subject,
                "details": dict(each.details),
            }
            for each in found.items
        ],
        found.next_cursor,
    )
