"""After the commit: tell the readers, and remember that they were told.

Announcing is best effort and at once. Whatever fails here stays behind in the
outbox, from where a relay publishes it: a stored event is published at least once.
"""

import asyncio
from collections.abc import Mapping, Sequence

from pytake.application.list_changes import ListChanges, show_on_lists
from pytake.application.ports import (
    Committed,
    ConversationReader,
    EventPublisher,
    Outbox,
    RoomNotifier,
)
from pytake.contract.rooms import organization_room
from pytake.domain.errors import Unavailable
from pytake.domain.events import ConversationEvent, DurableEvent
from pytake.domain.ids import ConversationId

ADVANCE_EVERY_SECONDS = 0.1
ADVANCE_ATTEMPTS = 10
"""How often what another process should have published meanwhile may hold a conversation back."""


class Announcer:
    """Publishes what was committed, and advances the outbox in batches.

    Args:
        publisher: One FIFO connection to the broker.
        notifier: Sends changes of the inbox list to rooms.
        outbox: Records how far each conversation has been published.
        reader: Gives the rows of the lists as they are.
    """

    def __init__(
        self,
        publisher: EventPublisher,
        notifier: RoomNotifier,
        outbox: Outbox,
        reader: ConversationReader,
    ) -> None:
        self._publisher = publisher
        self._outbox = outbox
        self._lists = ListChanges(reader, notifier)
        self._published: dict[ConversationId, list[int]] = {}
        self._unshown: dict[ConversationId, list[int]] = {}
        self._held: dict[ConversationId, int] = {}

    async def __call__(self, committed: Committed) -> None:
        """Publish the events and the change of the list; never raises `Unavailable`.

        A conversation that was just opened has no event yet, and is new on the lists all the same.
        """
        if not committed.events:
            if committed.is_new:
                await self._lists.show(committed)
            return
        try:
            await self._publisher.publish(committed.events)
        except Unavailable:
            return
        # Only what the lists have heard, too, is done with: else a relay tells them.
        is_shown = await self._lists.show(committed)
        seqs = {committed.events[0].conversation_id: [event.seq for event in committed.events]}
        _note(self._published if is_shown else self._unshown, seqs)

    async def run(self) -> None:
        """Show what waits and advance the outbox every 100 ms until cancelled, and once more
        at the end."""
        try:
            while True:
                await asyncio.sleep(ADVANCE_EVERY_SECONDS)
                await self.flush()
        finally:
            await self.flush(at_end=True)

    async def flush(self, *, at_end: bool = False) -> None:
        """Show on the lists what is due and advance the outbox; what the store does not give
        or take now is tried again later."""
        try:
            shown = await self._lists.show_waiting(all_of_them=at_end)
        except Unavailable:
            return
        for conversation_id, up_to in shown.items():
            seqs = self._unshown.pop(conversation_id, [])
            _note(self._published, {conversation_id: [seq for seq in seqs if seq <= up_to]})
            _note(self._unshown, {conversation_id: [seq for seq in seqs if seq > up_to]})
        await self._advance()

    async def _advance(self) -> None:
        batch, self._published = self._published, {}
        if not batch:
            return
        try:
            held = await self._outbox.advance(batch)
        except Unavailable:
            _note(self._published, batch)
            return
        attempts = {each: self._held.get(each, 0) + 1 for each in held}
        # Who held one back for so long has died: the relay publishes from there on.
        self._held = {each: count for each, count in attempts.items() if count < ADVANCE_ATTEMPTS}
        _note(self._published, {each: batch[each] for each in self._held})


def _note(
    noted: dict[ConversationId, list[int]], seqs: Mapping[ConversationId, Sequence[int]]
) -> None:
    for conversation_id, more in seqs.items():
        if more:
            noted.setdefault(conversation_id, []).extend(more)


class ShowOnLists:
    """Sends the present rows of conversations to the lists that show them.

    Args:
        reader: Gives the rows as they are now.
        notifier: Sends changes of the inbox list to rooms.
    """

    def __init__(self, reader: ConversationReader, notifier: RoomNotifier) -> None:
        self._reader = reader
        self._notifier = notifier

    async def __call__(self, conversation_ids: Sequence[ConversationId]) -> None:
        """Show them.

        Raises:
            Unavailable: The store is away, and nothing was sent.
        """
        for conversation in await self._reader.shared(conversation_ids):
            await show_on_lists(self._notifier, conversation)


class AnnounceLeftBehind:
    """Tells the inbox lists of events that a relay published for a process that could not.

    Args:
        reader: Gives the rows as they are now.
        notifier: Sends changes of the inbox list to rooms.
    """

    def __init__(self, reader: ConversationReader, notifier: RoomNotifier) -> None:
        self._show = ShowOnLists(reader, notifier)
        self._notifier = notifier

    async def __call__(self, events: Sequence[ConversationEvent]) -> None:
        """Send the present rows; who lost a row, nobody remembers: those load their list anew.

        Raises:
            Unavailable: The store is away, and nothing was sent.
        """
        await self._show(list(dict.fromkeys(event.conversation_id for event in events)))
        moved = {
            event.organization_id
            for event in events
            if event.name == DurableEvent.CONVERSATION_UPDATED
        }
        for organization_id in moved:
            room = organization_room(organization_id)
            await self._notifier.emit([room], "resync", {"scope": "inbox"})
