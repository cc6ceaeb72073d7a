"""After the commit: tell the readers, and remember that they were told.

Announcing is best effort and at once. Whatever fails here stays behind in the
outbox, from where a relay publishes it: a stored event is published at least once.
"""

import asyncio
from collections.abc import Mapping, Sequence

from pytake.application.ports import (
    Committed,
    ConversationReader,
    EventPublisher,
    Outbox,
    RoomNotifier,
)
from pytake.contract.present import conversation_body
from pytake.contract.rooms import list_rooms, organization_room, unassigned_room, user_room
from pytake.domain.conversation import Conversation
from pytake.domain.errors import Unavailable
from pytake.domain.events import ConversationEvent, DurableEvent
from pytake.domain.ids import ConversationId

ADVANCE_EVERY_SECONDS = 0.1


class Announcer:
    """Publishes what was committed, and advances the outbox in batches.

    Args:
        publisher: One FIFO connection to the broker.
        notifier: Sends changes of the inbox list to rooms.
        outbox: Records how far each conversation has been published.
    """

    def __init__(self, publisher: EventPublisher, notifier: RoomNotifier, outbox: Outbox) -> None:
        self._publisher = publisher
        self._notifier = notifier
        self._outbox = outbox
        self._published: dict[ConversationId, int] = {}

    async def __call__(self, committed: Committed) -> None:
        """Publish the events and the change of the list; never raises `Unavailable`.

        A conversation that was just opened has no event yet, and is new on the lists all the same.
        """
        if not committed.events:
            if committed.is_new:
                await self.announce_list_change(committed)
            return
        try:
            await self._publisher.publish(committed.events)
        except Unavailable:
            return
        self._remember(committed)
        await self.announce_list_change(committed)

    async def announce_list_change(self, committed: Committed) -> None:
        """Send `inbox:removed` to who no longer sees the row, `inbox:updated` to who does.

        In this order: who is in rooms of both kinds ends with the row on the list.
        """
        conversation = committed.conversation
        removed = {"conversation_id": conversation.id, "seq": conversation.last_seq}
        for room in _rooms_that_lost_it(committed):
            await self._notifier.emit([room], "inbox:removed", removed)
        await _show_on_lists(self._notifier, conversation)

    def _remember(self, committed: Committed) -> None:
        last = committed.events[-1]
        known = self._published.get(last.conversation_id, 0)
        self._published[last.conversation_id] = max(known, last.seq)

    async def run(self) -> None:
        """Advance the outbox every 100 ms until cancelled, and once more at the end."""
        try:
            while True:
                await asyncio.sleep(ADVANCE_EVERY_SECONDS)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Advance the outbox now; what the store does not take is tried again later."""
        batch, self._published = self._published, {}
        if not batch:
            return
        try:
            await self._outbox.advance(batch)
        except Unavailable:
            self._put_back(batch)

    def _put_back(self, batch: Mapping[ConversationId, int]) -> None:
        for conversation_id, seq in batch.items():
            self._published[conversation_id] = max(seq, self._published.get(conversation_id, 0))


class AnnounceLeftBehind:
    """Tells the inbox lists of events that a relay published for a process that could not.

    Args:
        reader: Gives the rows as they are now.
        notifier: Sends changes of the inbox list to rooms.
    """

    def __init__(self, reader: ConversationReader, notifier: RoomNotifier) -> None:
        self._reader = reader
        self._notifier = notifier

    async def __call__(self, events: Sequence[ConversationEvent]) -> None:
        """Send the present rows; who lost a row, nobody remembers: those load their list anew.

        Raises:
            Unavailable: The store is away, and nothing was sent.
        """
        ids = list(dict.fromkeys(event.conversation_id for event in events))
        for conversation in await self._reader.shared(ids):
            await _show_on_lists(self._notifier, conversation)
        moved = {
            event.organization_id
            for event in events
            if event.name == DurableEvent.CONVERSATION_UPDATED
        }
        for organization_id in moved:
            room = organization_room(organization_id)
            await self._notifier.emit([room], "resync", {"scope": "inbox"})


async def _show_on_lists(notifier: RoomNotifier, conversation: Conversation) -> None:
    rooms = list_rooms(conversation.organization_id, conversation.assigned_to)
    data = {"conversation": conversation_body(conversation)}
    await notifier.emit(rooms, "inbox:updated", data)


def _rooms_that_lost_it(committed: Committed) -> list[str]:
    before, conversation = committed.previous_assignee, committed.conversation
    if before == conversation.assigned_to:
        return []
    if before is not None:
        return [user_room(before)] if conversation.assigned_to is not None else []
    return [unassigned_room(conversation.organization_id)]
