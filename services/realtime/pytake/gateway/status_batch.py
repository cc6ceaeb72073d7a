"""Many statuses of one conversation, sent as one event to clients that want it so.

Batches are made behind the sequencer, from a contiguous run of statuses, and are sent
before any later durable event: a client that drops what it has seen must never be given
message 12 while statuses 10 and 11 still wait.
"""

from pytake.domain.events import ConversationEvent, DurableEvent

BATCH_EVENT = "message:status_batch"
MAX_UPDATES = 100


def is_status(event: ConversationEvent) -> bool:
    return event.name == DurableEvent.MESSAGE_STATUS


class StatusRun:
    """The statuses of one conversation that have not been sent yet, in `seq` order."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events: list[ConversationEvent] = []

    def add(self, event: ConversationEvent) -> bool:
        """Take the next status; True once the run is long enough to be sent at once."""
        self._events.append(event)
        return len(self._events) >= MAX_UPDATES

    def take(self) -> list[ConversationEvent]:
        """Return the run, and begin a new one."""
        events, self._events = self._events, []
        return events


def as_one(events: list[ConversationEvent]) -> tuple[str, bytes]:
    """Return name and data of what stands for a run: a run of one is the status that it is."""
    if len(events) == 1:
        return events[0].name, events[0].data
    return BATCH_EVENT, batch_data(events)


def batch_data(events: list[ConversationEvent]) -> bytes:
    """Return the data of `message:status_batch`; each update is spliced, not parsed."""
    first, last = events[0], events[-1]
    head = (
        f'{{"conversation_id":"{first.conversation_id}",'
        f'"first_seq":{first.seq},"last_seq":{last.seq},"updates":['
    )
    return head.encode() + b",".join(event.data for event in events) + b"]}"
