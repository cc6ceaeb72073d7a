"""Joining and leaving conversations, with the replay of what was missed.

A joiner is answered first. Then it reads the log from its cursor, in pages, while live
events pass it by; the moment its cursor is the head of the room it becomes a member, in
one turn of the loop. So nothing is buffered for a joiner, nothing is sent twice and
nothing is missed. A cursor is a `seq` of the store: a client that slept for a week
resumes like one that was away for a second.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pytake.contract.client_events import JoinConversation
from pytake.domain.conversation import Access
from pytake.domain.errors import ErrorCode, NotFound, PytakeError, Refused, TooMuch, Unavailable
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId
from pytake.gateway.audience import Audience, sees
from pytake.gateway.batching import Questions
from pytake.gateway.connection import Connection, Membership
from pytake.gateway.rooms import Room, Rooms
from pytake.gateway.sequencer import Versions, versions_of
from pytake.gateway.tasks import AGAIN_SECONDS, Tasks
from pytake.observability.metrics import Metrics

MAX_ROOMS = 200
REPLAY_RETRY_SECONDS = 0.5

PORTION_BYTES = 32_768
"""Written at once to a joiner: well below any send buffer, or a replay would make a slow
consumer of everybody who missed much."""


class ConnectionGone(Exception):
    """The connection ended while something was done for it; there is nobody to tell."""


@dataclass(frozen=True, slots=True)
class Joining:
    """An accepted join: its answer, and the membership that still has to catch up."""

    membership: Membership
    answer: dict[str, Any]


class Conversations:
    """Joins and leaves of all connections of the pod."""

    def __init__(
        self,
        rooms: Rooms,
        audience: Audience,
        questions: Questions,
        tasks: Tasks,
        metrics: Metrics,
    ) -> None:
        self._rooms = rooms
        self._audience = audience
        self._questions = questions
        self._tasks = tasks
        self._metrics = metrics

    async def access(self, connection: Connection, conversation_id: ConversationId) -> Access:
        """Return the conversation's access data if the user may see it.

        Raises:
            NotFound: There is no such conversation, or none that the user may see.
            Unavailable: The store cannot be asked.
        """
        began, outcome = time.perf_counter(), "error"
        try:
            access = await self._questions.access(conversation_id)
            is_allowed = access is not None and sees(connection, access)
            outcome = "allowed" if is_allowed else "denied"
        finally:
            seconds = time.perf_counter() - began
            self._metrics.permission_check_duration_seconds.observe(seconds, outcome)
        if not connection.is_open:
            raise ConnectionGone
        if access is None or not is_allowed:
            raise NotFound()
        return access

    async def join(self, connection: Connection, asked: JoinConversation) -> Joining:
        """Accept a join; nothing was sent yet, and nothing is until `begin`.

        Raises:
            NotFound, Unavailable: As `access`.
            TooMuch: `too_many_rooms`.
        """
        outcome = "error"
        try:
            joining = await self._join(connection, asked)
            outcome = "ok"
            return joining
        except NotFound:
            outcome = "not_found"
            raise
        except TooMuch:
            outcome = "denied"
            raise
        finally:
            self._metrics.room_joins.inc(outcome)

    async def _join(self, connection: Connection, asked: JoinConversation) -> Joining:
        conversation_id = ConversationId(asked.conversation_id)
        access = await self.access(connection, conversation_id)
        # Who is a member stays one until nothing can refuse the new join any more.
        if conversation_id not in connection.joined and len(connection.joined) >= MAX_ROOMS:
            raise TooMuch(ErrorCode.TOO_MANY_ROOMS)
        room = await self._rooms.enter(conversation_id, access)
        try:
            joining = await self._accept(connection, asked, room, access)
            if not connection.is_open:
                raise ConnectionGone
            if conversation_id not in connection.joined and len(connection.joined) >= MAX_ROOMS:
                raise TooMuch(ErrorCode.TOO_MANY_ROOMS)
        except BaseException:
            self._rooms.exit(room)
            raise
        if (earlier := connection.joined.get(conversation_id)) is not None:
            self._end(connection, earlier)
        connection.joined[conversation_id] = joining.membership
        await self._audience.enter(connection, room)
        if not connection.is_open:
            # It ended while the room was entered: nobody else would end this membership.
            self.leave(connection, conversation_id)
            raise ConnectionGone
        return joining

    async def _accept(
        self, connection: Connection, asked: JoinConversation, room: Room, access: Access
    ) -> Joining:
        outcome = await self._resume_outcome(asked, room, max(room.head, access.head))
        # Read again: up to here an earlier membership went on sending.
        head = max(room.head, access.head)
        if outcome is not None:
            self._metrics.recovery.inc(outcome)
        recovered = outcome in ("full", "empty")
        cursor = asked.last_seq if recovered and asked.last_seq is not None else head
        checked = Versions(access.acl_version, access.organization_acl_version)
        answer = {
            "conversation_id": room.conversation_id,
            "seq": head,
            "epoch": self._rooms.epoch,
            "recovered": recovered,
            "replayed": head - cursor,
        }
        return Joining(Membership(room, cursor, checked), answer)

    async def _resume_outcome(self, asked: JoinConversation, room: Room, head: int) -> str | None:
        """Say what can be replayed; None for a join without a cursor."""
        last_seq = asked.last_seq
        if last_seq is None:
            return None
        if last_seq > head:
            return "ahead"
        if asked.epoch is not None and asked.epoch != self._rooms.epoch:
            return "other_epoch"
        if last_seq == head:
            return "empty"
        if room.sequencer.since(last_seq) is not None:
            return "full"
        oldest = await self._questions.oldest_kept(room.conversation_id)
        return "full" if oldest is not None and last_seq + 1 >= oldest else "too_old"

    def begin(self, connection: Connection, joining: Joining) -> bool:
        """Start the replay of an accepted join whose answer has been sent; False if the
        membership has ended meanwhile."""
        membership = joining.membership
        if not self._is_current(connection, membership):
            return False
        if not self._audience.attach(connection, membership):
            membership.replay = self._tasks.start(self._catch_up(connection, membership), "replay")
        return True

    def leave(self, connection: Connection, conversation_id: ConversationId) -> bool:
        """End a membership; False where there was none."""
        membership = connection.joined.pop(conversation_id, None)
        if membership is None:
            return False
        self._end(connection, membership)
        return True

    def leave_all(self, connection: Connection) -> None:
        """End every membership of a connection that is gone."""
        for conversation_id in list(connection.joined):
            self.leave(connection, conversation_id)

    def _end(self, connection: Connection, membership: Membership) -> None:
        room = membership.room
        if connection.joined.get(room.conversation_id) is membership:
            del connection.joined[room.conversation_id]
        if membership.replay is not None and membership.replay is not asyncio.current_task():
            membership.replay.cancel()
        self._audience.detach(connection, room)
        self._rooms.exit(room)

    # --- replay ---------------------------------------------------------------------------

    async def _catch_up(self, connection: Connection, membership: Membership) -> None:
        while self._is_current(connection, membership):
            try:
                if await self._catch_up_a_page(connection, membership):
                    return
            except Unavailable:
                await asyncio.sleep(REPLAY_RETRY_SECONDS)
            except PytakeError:
                self._audience.show_out(connection, membership.room)
                return
            except Exception as error:
                # A joiner whose replay just ended would be in the room and hear nothing.
                self._tasks.failed("replay", error)
                await asyncio.sleep(AGAIN_SECONDS)

    def _is_current(self, connection: Connection, membership: Membership) -> bool:
        mine = connection.joined.get(membership.room.conversation_id)
        return connection.is_open and mine is membership

    async def _catch_up_a_page(self, connection: Connection, membership: Membership) -> bool:
        """Send the next missed events; True once the joiner is a member."""
        room = membership.room
        if membership.cursor > room.head:
            await self._rooms.reach(room, membership.cursor)
        if not membership.checked.cover(room.sequencer.checked):
            await self._check_again(connection, membership, room.sequencer.checked)
        if self._audience.attach(connection, membership):
            return True
        events = room.sequencer.since(membership.cursor)
        if events is None:
            events = await self._questions.page(room.conversation_id, membership.cursor)
            if not events or events[0].seq != membership.cursor + 1:
                self._restart_at_head(connection, membership)
                return False
            self._rooms.offer(room, events)
        if events:
            await self._send_page(connection, membership, list(events))
        return False

    async def _send_page(
        self, connection: Connection, membership: Membership, events: list[ConversationEvent]
    ) -> None:
        """Send events under rights that are at least as new as theirs, once there is room."""
        for event in events:
            if not membership.checked.cover(versions_of(event)):
                newest = reduce(Versions.join, map(versions_of, events))
                await self._check_again(connection, membership, newest)
                break
        for portion in _portions(events):
            await self._audience.drained(connection)
            if not self._is_current(connection, membership):
                return
            self._audience.replay(connection, portion)
            membership.cursor = portion[-1].seq

    async def _check_again(
        self, connection: Connection, membership: Membership, seen: Versions
    ) -> None:
        """Ask the store again; the answer is newer than the versions seen before it."""
        try:
            access = await self.access(connection, membership.room.conversation_id)
        except ConnectionGone:
            return
        except NotFound:
            raise Refused(ErrorCode.FORBIDDEN) from None
        found = Versions(access.acl_version, access.organization_acl_version)
        membership.checked = membership.checked.join(found).join(seen)

    def _restart_at_head(self, connection: Connection, membership: Membership) -> None:
        """Say that the log no longer reaches back to the cursor: never a silent gap."""
        room = membership.room
        membership.cursor = room.head
        answer = {
            "conversation_id": room.conversation_id,
            "message": "What was missed is no longer kept; load the conversation again.",
            "seq": room.head,
            "epoch": self._rooms.epoch,
            "recovered": False,
            "replayed": 0,
        }
        self._audience.send(connection, "joined_conversation", answer)


def _portions(events: list[ConversationEvent]) -> Iterator[list[ConversationEvent]]:
    """Cut a page into parts of at most 32 KiB, or of one event that is larger."""
    portion: list[ConversationEvent] = []
    size = 0
    for event in events:
        if portion and size + len(event.data) > PORTION_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(event)
        size += len(event.data)
    if portion:
        yield portion
