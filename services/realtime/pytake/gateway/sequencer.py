"""The one owner of order: which event of a conversation may go out next on this pod.

Events come from the API, the relay, hole repair, the comparison of heads and replays,
twice, out of order or not at all. Whatever its source, an event passes here, and what
leaves is the log: every `seq` once, in order, from the first head on. The module does no
I/O and reads no clock: times are given, and what must be fetched or checked is asked for.

Two things stop the flow. A *hole* is a missing predecessor: what comes after it is held.
A *fence* is an event that was committed under newer rights than those under which the
members were checked: it waits until the caller has checked them again.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pytake.domain.events import ConversationEvent

HOLE_PATIENCE_SECONDS = 0.05
"""How long a predecessor may be late. Two publishers that overtake each other are no hole."""

MAX_HELD = 256
"""Above it, held events are forgotten: the store has them, and one page of it is cheaper."""

MAX_RECENT = 256
MAX_RECENT_BYTES = 65_536
"""What a room remembers for who was away for a moment. A pod has thousands of rooms."""


class Versions(NamedTuple):
    """The versions of rights under which something was checked or committed."""

    conversation: int
    organization: int

    def cover(self, other: "Versions") -> bool:
        """Whether a check under these versions is at least as new as the other."""
        return self.conversation >= other.conversation and self.organization >= other.organization

    def join(self, other: "Versions") -> "Versions":
        """Return the newer of both, each by itself."""
        return Versions(
            max(self.conversation, other.conversation), max(self.organization, other.organization)
        )


NEVER_CHECKED = Versions(-1, -1)


def versions_of(event: ConversationEvent) -> Versions:
    """Return the versions under which the event was committed."""
    return Versions(event.acl_version, event.organization_acl_version)


class Sequencer:
    """Puts the events of one conversation in order.

    Until `start` names the first head, everything is held. After that, `head` is the `seq`
    of the last event that went out; each method returns what goes out now, in order.
    """

    __slots__ = ("_held", "_hole_since", "_newest", "_recent_bytes", "checked", "head", "recent")

    def __init__(self) -> None:
        self.head: int | None = None
        self.checked = NEVER_CHECKED
        self.recent: deque[ConversationEvent] = deque()
        self._recent_bytes = 0
        self._held: dict[int, ConversationEvent] = {}
        self._newest = 0
        self._hole_since: float | None = None

    def start(self, head: int, now: float) -> list[ConversationEvent]:
        """Name the head as read from the store *after* the subscription was confirmed.

        What came in meanwhile and is newer follows. Starting again changes nothing.
        """
        if self.head is not None:
            return []
        self.head = head
        self._newest = max(self._newest, head)
        for seq in [seq for seq in self._held if seq <= head]:
            del self._held[seq]
        return self._release(now)

    def offer(self, event: ConversationEvent, now: float) -> list[ConversationEvent]:
        """Take one event from anywhere; return what goes out because of it."""
        self._newest = max(self._newest, event.seq)
        if self.head is not None and event.seq <= self.head:
            return []
        is_next = self.head is not None and event.seq == self.head + 1
        if len(self._held) >= MAX_HELD and event.seq not in self._held and not is_next:
            self._forget_all_but_the_next()
        self._held[event.seq] = event
        return self._release(now)

    def offer_all(self, events: Iterable[ConversationEvent], now: float) -> list[ConversationEvent]:
        """Take a page of the log in order; return what goes out because of it."""
        out: list[ConversationEvent] = []
        for event in events:
            out += self.offer(event, now)
        return out

    def learn_of(self, head: int, now: float) -> None:
        """Hear that the store is as far as `head`: what is not here yet is a hole."""
        self._newest = max(self._newest, head)
        self._watch_for_a_hole(now)

    def allow(self, versions: Versions, now: float) -> list[ConversationEvent]:
        """The members were checked under these versions; return what may go out now."""
        self.checked = self.checked.join(versions)
        return self._release(now)

    @property
    def newest(self) -> int:
        """The highest `seq` that anybody has spoken of."""
        return self._newest

    @property
    def fence(self) -> Versions | None:
        """The versions under which members must be checked before the next event goes out."""
        if self.head is None:
            return None
        event = self._held.get(self.head + 1)
        if event is None or self.checked.cover(versions_of(event)):
            return None
        return versions_of(event)

    @property
    def held(self) -> int:
        """How many events wait here."""
        return len(self._held)

    @property
    def has_hole(self) -> bool:
        """Whether the next event is known to exist and is not here."""
        return self._hole_since is not None

    def hole_is_due(self, now: float) -> bool:
        """Whether the predecessor has been missing for longer than reordering takes."""
        return self._hole_since is not None and now - self._hole_since >= HOLE_PATIENCE_SECONDS

    def since(self, cursor: int) -> Sequence[ConversationEvent] | None:
        """Return what went out after the cursor, or None if that is no longer remembered."""
        if self.head is None or cursor > self.head:
            return None
        if cursor == self.head:
            return ()
        if not self.recent or self.recent[0].seq > cursor + 1:
            return None
        return tuple(event for event in self.recent if event.seq > cursor)

    def _release(self, now: float) -> list[ConversationEvent]:
        out: list[ConversationEvent] = []
        if self.head is None:
            return out
        while (event := self._held.get(self.head + 1)) is not None:
            if not self.checked.cover(versions_of(event)):
                break
            del self._held[event.seq]
            self.head = event.seq
            self._remember(event)
            out.append(event)
        if out:
            self._hole_since = None
        self._watch_for_a_hole(now)
        return out

    def _remember(self, event: ConversationEvent) -> None:
        self.recent.append(event)
        self._recent_bytes += len(event.data)
        while len(self.recent) > MAX_RECENT or self._recent_bytes > MAX_RECENT_BYTES:
            self._recent_bytes -= len(self.recent.popleft().data)

    def _watch_for_a_hole(self, now: float) -> None:
        if self.head is None:
            return
        if self._newest > self.head and self.head + 1 not in self._held:
            if self._hole_since is None:
                self._hole_since = now
        else:
            self._hole_since = None

    def _forget_all_but_the_next(self) -> None:
        """Keep what waits for a check of rights; the rest comes back from the store."""
        waiting = None if self.head is None else self._held.get(self.head + 1)
        self._held.clear()
        if waiting is not None:
            self._held[waiting.seq] = waiting
