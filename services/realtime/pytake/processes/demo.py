"""Puts the demo organization into the store; doing it again adds nothing.

Everything is named by what it is (account, phone, line of a talk), so that a second start
finds what the first one made. Only the windows are opened anew: a demo that was left alone
over a weekend must still be able to answer.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from pytake.application.ports import (
    Channel,
    ConversationChange,
    InboundMessage,
)
from pytake.domain.canned_reply import CannedReply
from pytake.domain.ids import (
    CannedReplyId,
    ConversationId,
    MessageId,
    NoteId,
    OrganizationId,
    UserId,
)
from pytake.domain.message import Direction, MessageType, NewMessage, SenderType
from pytake.domain.phone import digits_of
from pytake.domain.principal import Role
from pytake.domain.status import MessageStatus
from pytake.domain.window import WINDOW
from pytake.processes.demo_content import (
    ACCOUNTS,
    CANNED_REPLIES,
    ORGANIZATION,
    PASSWORD,
    TALKS,
    Talk,
)
from pytake.store import Store, open_store

HashPassword = Callable[[str], Awaitable[str]]


async def seed(
    database_url: str,
    hash_password: HashPassword,
    *,
    phone_number_id: str,
    access_token: str,
    now: datetime,
) -> OrganizationId:
    """Make what is missing of the demo and return its organization.

    The store is opened with a clock of its own, so that talks happened when they say.
    """
    clock = _TalkClock(now)
    async with open_store(database_url, clock=clock) as store:
        organization_id = await _organization(store)
        users = await _users(store, organization_id, hash_password)
        channel = await store.channels.ensure_channel(
            organization_id,
            name="Casa Aurora",
            phone_number_id=phone_number_id,
            access_token=access_token,
        )
        for talk in TALKS:
            await _talk(store, channel, talk, users, clock)
        await _canned_replies(store, organization_id, now)
    return organization_id


class _TalkClock:
    """A clock that is set from line to line."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.shown = now

    def __call__(self) -> datetime:
        return self.shown


async def _organization(store: Store) -> OrganizationId:
    for organization_id, name in await store.users.organizations():
        if name == ORGANIZATION:
            return organization_id
    return await store.users.create_organization(ORGANIZATION)


async def _users(
    store: Store, organization_id: OrganizationId, hash_password: HashPassword
) -> dict[str, UserId]:
    users: dict[str, UserId] = {}
    for email, name, role in ACCOUNTS:
        known = await store.users.credentials(email)
        if known is None:
            user = await store.users.create_user(
                organization_id,
                email=email,
                name=name,
                role=Role(role),
                password_hash=await hash_password(PASSWORD),
            )
        else:
            user = known[0]
        users[email.partition("@")[0]] = user.id
    return users


async def _talk(
    store: Store, channel: Channel, talk: Talk, users: dict[str, UserId], clock: _TalkClock
) -> None:
    now = clock.shown = clock.now
    opened = await store.conversations.open_conversation(
        channel.organization_id,
        contact_name=talk.name,
        phone=talk.phone,
        channel_id=channel.id,
        window_expires_at=now + WINDOW,
        now=now,
    )
    conversation = opened.conversation
    if conversation.last_seq:
        return
    for number, (author, minutes_ago, text) in enumerate(talk.lines):
        key = f"{talk.phone}.{number}"
        at = clock.shown = now - timedelta(minutes=minutes_ago)
        if author == "c":
            await store.conversations.receive_message(_inbound(channel, talk, key, text, at))
        else:
            sender = users["ana" if author == "a" else "bruno"]
            message = _outbound(channel, conversation.id, sender, key, text, at)
            await store.conversations.append_message(channel.organization_id, message)
    clock.shown = now
    for number, (author, text) in enumerate(talk.notes):
        key = f"{channel.organization_id}/note/{talk.phone}.{number}"
        await store.conversations.add_note(
            channel.organization_id,
            conversation.id,
            note_id=NoteId(str(uuid5(NAMESPACE_URL, key))),
            author_id=users[author],
            text=text,
            now=now,
        )
    if talk.assigned_to is not None:
        await store.conversations.change_conversation(
            channel.organization_id,
            conversation.id,
            ConversationChange(
                reassign=True, assigned_to=users[talk.assigned_to], add_labels=talk.labels
            ),
            expected_assignee=None,
            now=now,
        )


async def _canned_replies(store: Store, organization_id: OrganizationId, now: datetime) -> None:
    if await store.canned_replies.canned_replies(organization_id):
        return
    for shortcut, text in CANNED_REPLIES:
        reply_id = CannedReplyId(str(uuid5(NAMESPACE_URL, f"{organization_id}/canned/{shortcut}")))
        await store.canned_replies.put(
            CannedReply(reply_id, organization_id, shortcut, text), now=now
        )


def _inbound(channel: Channel, talk: Talk, key: str, text: str, at: datetime) -> InboundMessage:
    return InboundMessage(
        organization_id=channel.organization_id,
        channel_id=channel.id,
        identifiers=(("phone", digits_of(talk.phone)),),
        profile_name=talk.name,
        whatsapp_message_id=f"wamid.demo.{key}",
        message_type=MessageType.TEXT,
        content={"text": text},
        sent_at=at,
    )


def _outbound(
    channel: Channel,
    conversation_id: ConversationId,
    sender: UserId,
    key: str,
    text: str,
    at: datetime,
) -> NewMessage:
    """A message that was read long ago: it has WhatsApp's id, so nobody sends it again."""
    return NewMessage(
        id=MessageId(str(uuid5(NAMESPACE_URL, f"{channel.organization_id}/demo/{key}"))),
        conversation_id=conversation_id,
        direction=Direction.OUTBOUND,
        sender_type=SenderType.AGENT,
        sender_id=sender,
        message_type=MessageType.TEXT,
        content={"text": text},
        created_at=at,
        status=MessageStatus.READ,
        whatsapp_message_id=f"wamid.demo.{key}",
    )
