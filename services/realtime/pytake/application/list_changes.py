"""What the inbox lists hear of a conversation, and how often.

A row of the list holds the whole state of its conversation, so the newest one says all.
The first change is sent at once; those that follow within a quarter of a second wait
and are sent as one row, read anew: a conversation that nobody has taken is on the list
of every agent, and a message with its ticks is four changes.
"""

import time
from collections.abc import Callable, Mapping

from pytake.application.ports import Committed, ConversationReader, RoomNotifier
from pytake.contract.present import conversation_body
from pytake.contract.rooms import list_rooms, member_room, unassigned_room
from pytake.domain.conversation import Conversation
from pytake.domain.events import DurableEvent
from pytake.domain.ids import ConversationId

APART_SECONDS = 0.25
ROWS_AT_ONCE = 500


class ListChanges:
    """Sends rows to those who see them. What waits is bounded by the conversations that
    changed within a quarter of a second.

    Args:
        reader: Gives the rows as they are now.
        notifier: Sends to rooms.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        reader: ConversationReader,
        notifier: RoomNotifier,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._notifier = notifier
        self._clock = clock
        self._shown_at: dict[ConversationId, float] = {}
        self._waiting: dict[ConversationId, int] = {}

    async def show(self, committed: Committed) -> bool:
        """Send `inbox:removed` to who no longer sees the row, `inbox:updated` to who does.

        In this order: who is in rooms of both kinds ends with the row on the list.

        Returns:
            False if the row was sent a moment ago: `show_waiting` sends this change.
        """
        conversation = committed.conversation
        if self._may_wait(committed):
            known = self._waiting.get(conversation.id, 0)
            self._waiting[conversation.id] = max(known, conversation.last_seq)
            return False
        self._shown_at[conversation.id] = self._clock()
        removed = {"conversation_id": conversation.id, "seq": conversation.last_seq}
        for room in _rooms_that_lost_it(committed):
            await self._notifier.emit([room], "inbox:removed", removed)
        await show_on_lists(self._notifier, conversation)
        return True

    def _may_wait(self, committed: Committed) -> bool:
        """Whether another row of the conversation was just sent; a hand-over never waits."""
        shown_at = self._shown_at.get(committed.conversation.id)
        if shown_at is None or self._clock() - shown_at >= APART_SECONDS:
            return False
        names = {event.name for event in committed.events}
        return DurableEvent.CONVERSATION_UPDATED not in names

    async def show_waiting(self, *, all_of_them: bool = False) -> Mapping[ConversationId, int]:
        """Send the rows whose quarter of a second is over; call it often.

        A row is read now, not remembered: who may see it is decided by what is true now.

        Args:
            all_of_them: Also those whose time has not come, at the end of a process.

        Returns:
            Up to which `seq` each conversation is shown with this.

        Raises:
            Unavailable: The store is away; what waits goes on waiting.
        """
        now = self._clock()
        self._shown_at = {
            each: at for each, at in self._shown_at.items() if now - at < APART_SECONDS
        }
        due = [each for each in self._waiting if all_of_them or each not in self._shown_at]
        shown: dict[ConversationId, int] = {}
        for start in range(0, len(due), ROWS_AT_ONCE):
            ids = due[start : start + ROWS_AT_ONCE]
            # Taken before the rows are read: what changes meanwhile waits anew.
            taken = {each: self._waiting.pop(each) for each in ids if each in self._waiting}
            try:
                rows = await self._reader.shared(ids)
            except BaseException:
                for each, seq in taken.items():
                    self._waiting[each] = max(seq, self._waiting.get(each, 0))
                raise
            for conversation in rows:
                self._shown_at[conversation.id] = self._clock()
                await show_on_lists(self._notifier, conversation)
            shown |= taken
        return shown


async def show_on_lists(notifier: RoomNotifier, conversation: Conversation) -> None:
    """Send a row to the lists of all who see it."""
    rooms = list_rooms(conversation.organization_id, conversation.assigned_to)
    data = {"conversation": conversation_body(conversation)}
    await notifier.emit(rooms, "inbox:updated", data)


def _rooms_that_lost_it(committed: Committed) -> list[str]:
    before, conversation = committed.previous_assignee, committed.conversation
    if before == conversation.assigned_to:
        return []
    if before is not None:
        mine = member_room(conversation.organization_id, before)
        return [mine] if conversation.assigned_to is not None else []
    return [unassigned_room(conversation.organization_id)]
