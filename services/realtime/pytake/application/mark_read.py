"""A user has read a conversation up to some event."""

from pytake.application.ports import (
    ConversationReader,
    ConversationStore,
    ReadPosition,
    RoomNotifier,
)
from pytake.application.show_customer import ShowRead, show_nothing
from pytake.application.visible import visible_conversation
from pytake.contract.rooms import member_room
from pytake.domain.ids import ConversationId
from pytake.domain.principal import Principal


class MarkRead:
    """Moves the user's read position, tells the user's other devices, and the customer if asked."""

    def __init__(
        self,
        reader: ConversationReader,
        store: ConversationStore,
        notifier: RoomNotifier,
        show_customer: ShowRead = show_nothing,
    ) -> None:
        self._reader = reader
        self._store = store
        self._notifier = notifier
        self._show_customer = show_customer

    async def __call__(
        self, principal: Principal, conversation_id: ConversationId, seq: int
    ) -> ReadPosition:
        """Return the position after the move; an older one than known changes nothing.

        Raises:
            NotFound: No such conversation for this principal.
        """
        await visible_conversation(self._reader, principal, conversation_id)
        position = await self._store.mark_read(
            principal.organization_id, principal.user_id, conversation_id, seq
        )
        if position.moved:
            await self._notifier.emit(
                [member_room(principal.organization_id, principal.user_id)],
                "conversation:read",
                {
                    "conversation_id": conversation_id,
                    "seq": position.seq,
                    "unread_count": position.unread_count,
                },
            )
            await self._show_customer(conversation_id, position.seq)
        return position
