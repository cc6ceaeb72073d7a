"""What writers sent and readers saw, in the order in which it happened to them.

Recording is appending to a list: cheap enough for thousands of readers in one process.
Times are `time.monotonic()` of the one process that holds all writers and readers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple


class Sighting(NamedTuple):
    """One durable event, as it arrived at one connection of a reader."""

    at: float
    link: int
    conversation_id: str
    first_seq: int
    seq: int
    event: str
    message_id: str | None
    status: str | None


class Acknowledged(NamedTuple):
    """A message that got its 201, or a webhook that got its 200."""

    at: float
    conversation_id: str
    client_message_id: str
    message_id: str


class Join(NamedTuple):
    """A confirmed join: from `cursor` on, `replayed` events up to `seq` must follow."""

    at: float
    link: int
    conversation_id: str
    cursor: int | None
    seq: int
    recovered: bool


class Lost(NamedTuple):
    """The moment from which a reader must not see a conversation any more."""

    at: float
    conversation_id: str
    head: int


class Outage(NamedTuple):
    """From the end of a connection until the reader was whole on another one."""

    began: float
    ended: float


@dataclass
class ReaderHistory:
    """Everything that happened to one reader."""

    name: str
    conversations: tuple[str, ...]
    sightings: list[Sighting] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    lost_access: list[Lost] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    superseded: dict[int, float] = field(default_factory=dict)
    """By link: when its successor had joined, after which it must end."""
    outlived: list[int] = field(default_factory=list)
    """Links that the server left open although their successors had joined."""
    inbox: dict[str, str | None] = field(default_factory=dict)
    """By conversation: the assignee that the reader's list shows at the end."""
    may_see: dict[str, str | None] = field(default_factory=dict)
    """The same as REST gives it to this reader at the end."""
    follows_list: bool = False
    """Whether it loads its list as a page does, also when told to: only then can it be right."""
    user_id: str = ""
    """Who the server says that the reader is."""
    reads_to_the_end: bool = True
    """False for stalled readers, of whom nobody expects that they have seen everything."""


@dataclass
class StoredEvent:
    """A row of the event log, as REST gives it at the end."""

    seq: int
    event: str
    message_id: str | None
    status: str | None
    text: str | None = None
    """Of a message: every text of a run is written once, so it names the message, too."""
    assigned_to: str | None = None
    """Of a `conversation:updated`: whose the conversation is from this event on."""


@dataclass
class History:
    """One run."""

    readers: list[ReaderHistory] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    truth: dict[str, list[StoredEvent]] = field(default_factory=dict)
    written: list[tuple[str, str]] = field(default_factory=list)
    """What customers wrote, by conversation: the provider delivers it until its 200."""
    reassigned: set[str] = field(default_factory=set)
    """Conversations that changed hands during the run: only these may be lost by a reader."""
    marks: dict[str, float] = field(default_factory=dict)
    """Moments of the story that its promises are about."""
    notes: list[str] = field(default_factory=list)
    """What the story found out by itself, for whoever reads the table."""

    def acknowledged_at(self) -> dict[str, float]:
        """Return when each message was acknowledged, by its id."""
        return {item.message_id: item.at for item in self.acknowledged}

    def sent_by_conversation(self) -> dict[str, list[Acknowledged]]:
        """Return what was acknowledged, by conversation."""
        grouped: dict[str, list[Acknowledged]] = defaultdict(list)
        for item in self.acknowledged:
            grouped[item.conversation_id].append(item)
        return grouped
