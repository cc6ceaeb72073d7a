"""Durable events as the tests of the gateway need them."""

from datetime import UTC, datetime

import orjson

from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId, OrganizationId

ORGANIZATION = OrganizationId("0d9f6f1e-0000-4000-8000-000000000001")
CONVERSATION = ConversationId("c0000000-0000-4000-8000-000000000001")
A_MOMENT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def event(
    seq: int,
    *,
    conversation: str = CONVERSATION,
    name: str = "message:new",
    acl: int = 1,
    organization_acl: int = 1,
) -> ConversationEvent:
    """Return the event `seq` of a conversation."""
    data = {"conversation_id": conversation, "seq": seq}
    return ConversationEvent(
        organization_id=ORGANIZATION,
        conversation_id=ConversationId(conversation),
        seq=seq,
        name=name,
        data=orjson.dumps(data),
        created_at=A_MOMENT,
        acl_version=acl,
        organization_acl_version=organization_acl,
    )
