"""The conversations that this pod has members of, and how events reach them.

A room joins a sequencer to the world: it hears of events from the feed, reads holes,
heads and rights from the store, and writes what the sequencer releases to its members.
Whatever waits for the store waits in one of three background loops, which ask once for
all rooms that wait: `_mend` (holes), `_check` (rights), `_compare` (heads).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import structlog

from pytake.application.ports import EventFeed, EventLog
from pytake.domain.conversation import Access
from pytake.domain.errors import Unavailable
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId
from pytake.gateway.batching import Questions
from pytake.gateway.sequencer import HOLE_PATIENCE_SECONDS, Sequencer, Versions
from pytake.gateway.tasks import Tasks

if TYPE_CHECKING:
    from pytake.gateway.connection import Connection
    from pytake.gateway.emitter import Outlet

log = structlog.get_logger()

LINGER_SECONDS = 10.0
"""How long an empty room goes on listening: who reloads the page comes back to a warm one."""

SUBSCRIBE_SECONDS = 0.5
CHECK_SECONDS = 5.0

RETRY_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.0)
WAIT_FOR_HEAD_SECONDS = 2.0


class Audience(Protocol):
    """Who sits in a room; knows connections, which this module does not."""

    def deliver(self, room: "Room", events: list[ConversationEvent]) -> None:
        """Write events to the members, in order."""
        ...

    def push_out(self, room: "Room", access: Access | None) -> None:
        """Remove the members who may not see the conversation (any more)."""
        ...


class Room:
    """A conversation on this pod.

    `members` are those whose cursor has reached the head: live events go to them and to
    nobody else. `users` counts joiners, too.
    """

    __slots__ = (
        "conversation_id",
        "is_ready",
        "linger",
        "members",
        "must_check",
        "outlets",
        "sequencer",
        "subscribed",
        "users",
        "waiters",
    )

    def __init__(self, conversation_id: ConversationId) -> None:
        self.conversation_id = conversation_id
        self.sequencer = Sequencer()
        self.members: dict[str, Connection] = {}
        self.must_check = False
        self.outlets: tuple[Outlet, ...] | None = None
        self.users = 0
        self.subscribed = False
        self.is_ready: asyncio.Task[None] | None = None
        self.linger: asyncio.TimerHandle | None = None
        self.waiters: list[asyncio.Future[None]] = []

    @property
    def head(self) -> int:
        """The `seq` of the newest event that went out here."""
        return self.sequencer.head or 0

    def outlets_of_members(self) -> "tuple[Outlet, ...]":
        """Return what carries the members; made anew only after one came or went."""
        if self.outlets is None:
            members = self.members.values()
            self.outlets = tuple(each.outlet for each in members if each.outlet is not None)
        return self.outlets

    def wake(self) -> None:
        """Tell those who wait that the head has moved."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def moved(self) -> None:
        """Wait until the head has moved or something was checked."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        await waiter


class Rooms:
    """All rooms of the pod.

    Args:
        feed: Where events of other processes come from.
        event_log: The store, which knows what the feed lost.
        questions: The same store, asked in batches.
        tasks: Owner of the loops.
        refresh_rights: Reads the newest changes of users' rights.
    """

    def __init__(
        self,
        feed: EventFeed,
        event_log: EventLog,
        questions: Questions,
        tasks: Tasks,
        refresh_rights: Callable[[], Awaitable[None]],
    ) -> None:
        self._feed = feed
        self._log = event_log
        self._questions = questions
        self._tasks = tasks
        self._refresh_rights = refresh_rights
        self._rooms: dict[ConversationId, Room] = {}
        self._holes: set[ConversationId] = set()
        self._fences: set[ConversationId] = set()
        self._behind_heads: set[ConversationId] = set()
        self._hole_found = asyncio.Event()
        self._fence_found = asyncio.Event()
        self.audience: Audience
        self.on_interruption: Callable[[], None] = lambda: None
        self.epoch = ""
        self.holes_mended = 0
        self.heads_healed = 0
        self.duplicates = 0

    async def start(self) -> None:
        """Read the epoch, listen, and start the loops.

        Raises:
            Unavailable: The store cannot be asked.
        """
        self.epoch = await self._log.epoch()
        self._feed.listen(self.on_event, self.on_interrupted)
        self._tasks.keep(self._mend, "mend holes")
        self._tasks.keep(self._check, "check rights of rooms")

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(list(self._rooms.values()))

    def get(self, conversation_id: ConversationId) -> Room | None:
        return self._rooms.get(conversation_id)

    # --- coming and going -----------------------------------------------------------------

    async def enter(self, conversation_id: ConversationId, access: Access) -> Room:
        """Return the room, ready to be attached to; the caller counts as a user of it.

        Raises:
            Unavailable: The first head cannot be read.
        """
        room = self._rooms.get(conversation_id)
        if room is None:
            room = self._rooms[conversation_id] = Room(conversation_id)
            room.is_ready = self._tasks.start(self._open(room), "open room")
        room.users += 1
        if room.linger is not None:
            room.linger.cancel()
            room.linger = None
        if room.sequencer.head is None:
            try:
                if room.is_ready is not None:
                    await asyncio.shield(room.is_ready)
            except BaseException:
                self.exit(room)
                raise
            if room.sequencer.head is None:
                self.exit(room)
                raise Unavailable()
        self.learn(room, access)
        return room

    def learn(self, room: Room, access: Access) -> None:
        """Take in what a fresh look into the store says of the conversation."""
        if not room.members:
            # Nobody is here whom an older check could have let in.
            versions = Versions(access.acl_version, access.organization_acl_version)
            self._deliver(room, room.sequencer.allow(versions, _now()))
        room.sequencer.learn_of(access.head, _now())
        self._look_after(room)

    def exit(self, room: Room) -> None:
        """Count one user less; the room closes after a while without any."""
        room.users -= 1
        if room.users > 0 or self._rooms.get(room.conversation_id) is not room:
            return
        seconds = LINGER_SECONDS if room.sequencer.head is not None else 0.0
        loop = asyncio.get_running_loop()
        room.linger = loop.call_later(seconds, self._close, room)

    def _close(self, room: Room) -> None:
        if room.users > 0 or self._rooms.get(room.conversation_id) is not room:
            return
        del self._rooms[room.conversation_id]
        self._holes.discard(room.conversation_id)
        self._fences.discard(room.conversation_id)
        if room.is_ready is not None:
            room.is_ready.cancel()
        self._tasks.start(self._feed.unsubscribe(room.conversation_id), "unsubscribe")

    async def _open(self, room: Room) -> None:
        """Subscribe, then read the first head: in this order nothing can be missed."""
        room.subscribed = await self._feed.subscribe(
            room.conversation_id, timeout=SUBSCRIBE_SECONDS
        )
        try:
            head = await self._questions.head(room.conversation_id)
        except Unavailable:
            return
        self._deliver(room, room.sequencer.start(head, _now()))
        self._look_after(room)

    # --- events ---------------------------------------------------------------------------

    def on_event(self, event: ConversationEvent) -> None:
        """Take an event from the feed."""
        room = self._rooms.get(event.conversation_id)
        if room is not None:
            self.duplicates += room.sequencer.head is not None and event.seq <= room.head
            self.offer(room, (event,))

    def offer(self, room: Room, events: Iterable[ConversationEvent]) -> None:
        """Take events from anywhere; what may go out goes out before this returns."""
        self._deliver(room, room.sequencer.offer_all(events, _now()))
        self._look_after(room)

    def _deliver(self, room: Room, events: list[ConversationEvent]) -> None:
        if events:
            self.audience.deliver(room, events)
            room.wake()

    def _look_after(self, room: Room) -> None:
        if room.sequencer.has_hole:
            self._holes.add(room.conversation_id)
            self._hole_found.set()
        if room.sequencer.fence is not None:
            self._fences.add(room.conversation_id)
            self._fence_found.set()

    async def on_interrupted(self) -> None:
        """The link to the broker was away: some events may have been lost."""
        self.on_interruption()

    async def reach(self, room: Room, seq: int) -> None:
        """Wait until everything up to `seq` has gone out.

        Raises:
            Unavailable: That took too long.
        """
        room.sequencer.learn_of(seq, _now())
        self._look_after(room)
        try:
            async with asyncio.timeout(WAIT_FOR_HEAD_SECONDS):
                while room.head < seq:
                    await room.moved()
        except TimeoutError:
            raise Unavailable() from None

    # --- the loops ------------------------------------------------------------------------

    async def _mend(self) -> None:
        """Read what is missing, with one query for all rooms that wait."""
        while True:
            if not self._holes:
                await self._hole_found.wait()
            self._hole_found.clear()
            failures = 0
            while self._holes:
                await asyncio.sleep(HOLE_PATIENCE_SECONDS / 2)
                due = self._due_holes()
                if not due:
                    continue
                try:
                    pages = await self._questions.pages(
                        {room.conversation_id: room.head for room in due}
                    )
                except (Unavailable, TimeoutError):
                    await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                    failures += 1
                    continue
                failures = 0
                for room in due:
                    page = pages.get(room.conversation_id, ())
                    self._mended(room, page)

    def _mended(self, room: Room, page: Sequence[ConversationEvent]) -> None:
        before = room.head
        self.offer(room, page)
        by_heads = room.conversation_id in self._behind_heads
        self._behind_heads.discard(room.conversation_id)
        if by_heads:
            self.heads_healed += room.head - before
        else:
            self.holes_mended += room.head - before

    def _due_holes(self) -> list[Room]:
        now = _now()
        due = []
        for conversation_id in list(self._holes):
            room = self._rooms.get(conversation_id)
            if room is None or not room.sequencer.has_hole:
                self._holes.discard(conversation_id)
            elif room.sequencer.hole_is_due(now):
                due.append(room)
        return due

    async def _check(self) -> None:
        """Check the members of rooms whose next event was committed under newer rights."""
        while True:
            if not self._fences:
                await self._fence_found.wait()
            self._fence_found.clear()
            failures = 0
            while waiting := self._fenced():
                try:
                    await self.check(waiting)
                    failures = 0
                except (Unavailable, TimeoutError):
                    await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                    failures += 1

    def _fenced(self) -> list[Room]:
        waiting = []
        for conversation_id in list(self._fences):
            room = self._rooms.get(conversation_id)
            if room is None or (room.sequencer.fence is None and not room.must_check):
                self._fences.discard(conversation_id)
            else:
                waiting.append(room)
        return waiting

    def check_soon(self, rooms: Iterable[Room]) -> None:
        """Have the members of rooms checked, as soon as the store can be asked."""
        for room in rooms:
            room.must_check = True
            self._fences.add(room.conversation_id)
            self._fence_found.set()

    async def check(self, rooms: list[Room]) -> None:
        """Ask the store who may see these conversations, and push out who may not.

        Raises:
            Unavailable: Nobody was checked.
        """
        await self._refresh_rights()
        async with asyncio.timeout(CHECK_SECONDS):
            found = await self._log.access([room.conversation_id for room in rooms])
        for room in rooms:
            room.must_check = False
            access = found.get(room.conversation_id)
            self.audience.push_out(room, access)
            versions = (
                room.sequencer.fence or room.sequencer.checked
                if access is None
                else Versions(access.acl_version, access.organization_acl_version)
            )
            self._deliver(room, room.sequencer.allow(versions, _now()))
            room.wake()
            self._look_after(room)

    # --- what the comparison of heads needs -----------------------------------------------

    def conversations(self) -> list[ConversationId]:
        """Return the conversations of all rooms."""
        return list(self._rooms)

    def is_behind(self, conversation_id: ConversationId, head: int) -> bool:
        """Whether a room has sent less than the store has."""
        room = self._rooms.get(conversation_id)
        return room is not None and room.sequencer.head is not None and room.head < head

    def heal(self, conversation_id: ConversationId, head: int) -> bool:
        """Have a room that is still behind read what it lost; False if there is no need.

        One that waits for a check of rights has lost nothing.
        """
        room = self._rooms.get(conversation_id)
        if room is None or not self.is_behind(conversation_id, head):
            return False
        is_lost = room.sequencer.fence is None
        if is_lost:
            self._behind_heads.add(conversation_id)
            room.sequencer.learn_of(head, _now() - HOLE_PATIENCE_SECONDS)
        self._look_after(room)
        return is_lost

    def begin_anew(self, epoch: str) -> None:
        """Forget every room: their heads are those of another life of the database."""
        self.epoch = epoch
        rooms, self._rooms = list(self._rooms.values()), {}
        for room in rooms:
            # Whoever still holds one of these lets go of it as it ends.
            if room.linger is not None:
                room.linger.cancel()
            self._tasks.start(self._feed.unsubscribe(room.conversation_id), "unsubscribe")


def _now() -> float:
    return asyncio.get_running_loop().time()
