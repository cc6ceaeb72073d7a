"""An agent, an admin or a bot writes to a customer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from pytake.application.files import Files
from pytake.application.ports import Clock, Committed, ConversationReader, ConversationStore
from pytake.application.visible import visible_conversation
from pytake.domain.content import check_outbound
from pytake.domain.conversation import Conversation
from pytake.domain.errors import InvalidPayload, NotFound, WindowClosed
from pytake.domain.ids import ConversationId, MessageId
from pytake.domain.message import Direction, MessageType, NewMessage, SenderType
from pytake.domain.principal import Principal, Role
from pytake.domain.window import is_open_for_new

_GIVEN_BY_US = ("media_url",)
"""Members of content that an author cannot choose: they are made when a message is read."""

Announce = Callable[[Committed], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as its author gave it."""

    message_type: MessageType
    content: Mapping[str, Any]
    client_message_id: str | None = None
    based_on_seq: int | None = None
    retry_of: MessageId | None = None
    traceparent: str | None = None


class SendMessage:
    """Stores an outbound message and announces it."""

    def __init__(
        self,
        reader: ConversationReader,
        store: ConversationStore,
        announce: Announce,
        clock: Clock,
        files: Files,
    ) -> None:
        self._files = files
        self._reader = reader
        self._store = store
        self._announce = announce
        self._clock = clock

    async def __call__(
        self, principal: Principal, conversation_id: ConversationId, draft: Draft
    ) -> Committed:
        """Store the message once and publish it at once.

        Safe to repeat with the same `client_message_id`: the stored message comes back,
        with `is_new` False.

        Raises:
            NotFound: No such conversation for this principal, `retry_of` names no message
                of it, or `media_id` no file of the organization.
            InvalidPayload: The content is not what the type needs.
            WindowClosed: Only a template may be sent now.
            StaleView: Somebody wrote after `based_on_seq`.
            Conflict: The `client_message_id` was used for other content.
            Unavailable: Try again with the same `client_message_id`.
        """
        check_outbound(draft.message_type, draft.content)
        conversation = await visible_conversation(self._reader, principal, conversation_id)
        now = self._clock()
        if draft.message_type is not MessageType.TEMPLATE and has_closed_window(conversation, now):
            await self._check_was_sent(principal, conversation_id, draft)
        if "media_id" in draft.content:
            # Whoever names a file gets a link to it, and the customer the file itself.
            await self._files.visible(principal, str(draft.content["media_id"]))
        if draft.retry_of is not None:
            await self._check_retry(conversation, draft.retry_of)
        is_bot = principal.role is Role.BOT
        committed = await self._store.append_message(
            principal.organization_id,
            NewMessage(
                id=MessageId(str(uuid4())),
                conversation_id=conversation_id,
                direction=Direction.OUTBOUND,
                sender_type=SenderType.BOT if is_bot else SenderType.AGENT,
                sender_id=principal.user_id,
                message_type=draft.message_type,
                content={k: v for k, v in draft.content.items() if k not in _GIVEN_BY_US},
                created_at=now,
                client_message_id=draft.client_message_id,
                retry_of=draft.retry_of,
                based_on_seq=draft.based_on_seq,
                traceparent=draft.traceparent,
            ),
        )
        await self._announce(committed)
        return committed

    async def _check_was_sent(
        self, principal: Principal, conversation_id: ConversationId, draft: Draft
    ) -> None:
        """A repeated request finds its message, although the window has closed meanwhile."""
        if draft.client_message_id is None or not await self._reader.was_sent(
            conversation_id, principal.user_id, draft.client_message_id
        ):
            raise WindowClosed

    async def _check_retry(self, conversation: Conversation, retry_of: MessageId) -> None:
        failed = await self._reader.message(conversation.organization_id, retry_of)
        if failed is None or failed.conversation_id != conversation.id:
            raise NotFound
        if failed.direction is not Direction.OUTBOUND:
            raise InvalidPayload(detail="retry_of must name a message that was sent from here.")


def has_closed_window(conversation: Conversation, now: datetime) -> bool:
    """Whether only a template has time to be sent; without a channel no window applies."""
    expires_at = conversation.window_expires_at
    return conversation.channel_id is not None and not is_open_for_new(expires_at, now)
