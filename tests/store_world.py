"""A small organization in a store, and short ways to write in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from pytake.application.ports import Committed, InboundMessage, ReplayRequest
from pytake.domain.ids import ChannelId, ConversationId, MessageId, OrganizationId, UserId
from pytake.domain.message import Direction, MessageType, NewMessage, SenderType
from pytake.domain.principal import Principal, Role
from pytake.store import Store


class HeldClock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def new_id() -> str:
    return str(uuid4())


@dataclass
class World:
    """One organization with an admin, two agents, a bot and an empty conversation."""

    store: Store
    clock: HeldClock
    organization: OrganizationId
    admin: Principal
    ana: Principal
    bruno: Principal
    bot: Principal
    conversation: ConversationId
    channel: ChannelId

    async def open(self, phone: str = "+5511900000001", name: str = "Clara") -> Committed:
        """Open a conversation without a channel."""
        return await self.store.conversations.open_conversation(
            self.organization,
            contact_name=name,
            phone=phone,
            channel_id=None,
            window_expires_at=None,
            now=self.clock(),
        )

    def text(self, text: str = "olá", **changes: Any) -> NewMessage:
        """A text of ana's in the world's conversation."""
        values: dict[str, Any] = {
            "id": MessageId(new_id()),
            "conversation_id": self.conversation,
            "direction": Direction.OUTBOUND,
            "sender_type": SenderType.AGENT,
            "sender_id": self.ana.user_id,
            "message_type": MessageType.TEXT,
            "content": {"text": text},
            "created_at": self.clock(),
        }
        return NewMessage(**(values | changes))

    async def write(self, text: str = "olá", **changes: Any) -> Committed:
        """Append a text of ana's."""
        return await self.store.conversations.append_message(
            self.organization, self.text(text, **changes)
        )

    def inbound(self, text: str = "oi", **changes: Any) -> InboundMessage:
        """A customer's text on the world's channel."""
        values: dict[str, Any] = {
            "organization_id": self.organization,
            "channel_id": self.channel,
            "identifiers": (("phone", "5511988887777"),),
            "profile_name": "Clara",
            "whatsapp_message_id": f"wamid.{new_id()}",
            "message_type": MessageType.TEXT,
            "content": {"text": text},
            "sent_at": self.clock(),
        }
        return InboundMessage(**(values | changes))

    async def receive(self, text: str = "oi", **changes: Any) -> Committed:
        """Store a customer's text."""
        return await self.store.conversations.receive_message(self.inbound(text, **changes))

    async def log(self, conversation_id: ConversationId | None = None) -> list[int]:
        """The numbers in the log of a conversation."""
        wanted = conversation_id or self.conversation
        found = await self.store.event_log.replay([ReplayRequest(wanted, 0, 10_000)])
        return [event.seq for event in found[wanted]]

    async def head(self, conversation_id: ConversationId | None = None) -> int:
        wanted = conversation_id or self.conversation
        return (await self.store.event_log.heads([wanted]))[wanted]


async def make_world(store: Store, clock: HeldClock) -> World:
    organization = await store.users.create_organization("Demo")

    async def principal(name: str, role: Role) -> Principal:
        user = await store.users.create_user(
            organization,
            email=f"{name}-{new_id()}@demo.pytake",
            name=name,
            role=role,
            password_hash=None,
        )
        return Principal(
            UserId(user.id), organization, role, clock() + timedelta(hours=1), name=name
        )

    world = World(
        store,
        clock,
        organization,
        admin=await principal("Rita", Role.ADMIN),
        ana=await principal("Ana", Role.AGENT),
        bruno=await principal("Bruno", Role.AGENT),
        bot=await principal("Robo", Role.BOT),
        conversation=ConversationId(""),
        channel=ChannelId(new_id()),
    )
    world.conversation = (await world.open()).conversation.id
    return world
