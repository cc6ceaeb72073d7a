"""Who sits in the rooms: writes events to members, and shows out who lost the right to them."""

import asyncio
from collections.abc import Callable, Mapping

from pytake.contract.error_codes import error_object
from pytake.contract.media_links import Link, with_links
from pytake.contract.rooms import conversation_room
from pytake.domain.conversation import Access, may_see
from pytake.domain.errors import ErrorCode, Refused
from pytake.domain.events import ConversationEvent, DurableEvent
from pytake.domain.ids import ConversationId
from pytake.gateway.connection import STATUS_BATCH, Connection, Membership
from pytake.gateway.emitter import Emitter, Outlet, json_bytes, prepare, tell_emit
from pytake.gateway.observe import Deliveries
from pytake.gateway.rooms import Room
from pytake.gateway.sequencer import NEVER_CHECKED, Versions
from pytake.gateway.status_batch import StatusRun, as_one, is_status
from pytake.observability.logs import writes_debug_lines
from pytake.transport import PreparedPacket


def sees(connection: Connection, access: Access | None) -> bool:
    """Whether the connection's user may read the conversation at present."""
    return access is not None and may_see(
        connection.principal, access.organization_id, access.assigned_to
    )


class Audience:
    """The members of all rooms of the pod.

    Args:
        emitter: Writes to connections.
        coalesce_seconds: How long statuses are collected for clients that take batches.
        on_shown_out: Told of a connection that lost a conversation.
        on_message: Told of each message that goes out, for what ends with it.
        deliveries: Told of each event and how many got it; says who is asked to confirm.
        on_failure: Told what failed, and why, of an event that could not be delivered.
        link: Signs the addresses of files in messages; None: messages name the ids alone.
    """

    def __init__(
        self,
        emitter: Emitter,
        *,
        coalesce_seconds: float,
        on_shown_out: Callable[[Connection, Room], None],
        on_message: Callable[[Room, ConversationEvent], None],
        deliveries: Deliveries,
        on_failure: Callable[[str, BaseException], None],
        link: Link | None = None,
    ) -> None:
        self._emitter = emitter
        self._coalesce_seconds = coalesce_seconds
        self._on_shown_out = on_shown_out
        self._on_message = on_message
        self._deliveries = deliveries
        self._on_failure = on_failure
        self._tells_emits = writes_debug_lines()
        self._link = link
        self._runs: dict[ConversationId, StatusRun] = {}
        self._timers: dict[ConversationId, asyncio.TimerHandle] = {}

    # --- members --------------------------------------------------------------------------

    def attach(self, connection: Connection, membership: Membership) -> bool:
        """Make a member of a joiner whose cursor and check are up to date.

        Check and attach are one turn of the loop: nothing can go out in between.
        """
        room = membership.room
        if membership.cursor != room.head or not membership.checked.cover(room.sequencer.checked):
            return False
        # A joiner that was replayed these statuses must not get them again in a batch.
        self.flush_statuses(room)
        room.members[connection.sid] = connection
        room.outlets = None
        return True

    async def enter(self, connection: Connection, room: Room) -> None:
        """Let the connection hear what has no `seq`: typing, and what others emit."""
        await self._emitter.enter_rooms(connection.sid, [conversation_room(room.conversation_id)])

    def detach(self, connection: Connection, room: Room) -> None:
        """Stop sending anything of the room to the connection."""
        self._emitter.leave_room(connection.sid, conversation_room(room.conversation_id))
        room.members.pop(connection.sid, None)
        room.outlets = None
        if not room.members:
            self.flush_statuses(room)

    def push_out(self, room: Room, access: Access | None) -> None:
        """Show out the members who may not see the conversation (any more)."""
        for connection in list(room.members.values()):
            if not sees(connection, access):
                self.show_out(connection, room)
            elif access is not None and (membership := connection.joined.get(room.conversation_id)):
                membership.checked = Versions(access.acl_version, access.organization_acl_version)

    def show_out(self, connection: Connection, room: Room) -> None:
        """Tell a connection that it lost the conversation, and end its membership."""
        self.detach(connection, room)
        refusal = Refused(ErrorCode.FORBIDDEN, "This conversation is no longer yours to see.")
        self.send(connection, "error", error_object(refusal))
        data = {"conversation_id": room.conversation_id, "reason": "forbidden"}
        self.send(connection, "left_conversation", data)
        self._on_shown_out(connection, room)

    # --- sending --------------------------------------------------------------------------

    def send(self, connection: Connection, event: str, data: Mapping[str, object]) -> None:
        """Write one event to one connection."""
        self._emitter.send(connection.sid, prepare(event, json_bytes(data)))

    def deliver(self, room: Room, events: list[ConversationEvent]) -> None:
        """Write events to the members, in order; statuses wait for those who batch them.

        One that cannot be written is passed over: it would fail again from the store, and
        those behind it would wait for ever. Clients see the hole and ask by REST.
        """
        for event in events:
            try:
                self._deliver(room, event)
            except Exception as error:
                self._on_failure("deliver an event", error)

    def _deliver(self, room: Room, event: ConversationEvent) -> None:
        data = self._data(event)
        packet = prepare(event.name, data)
        if is_status(event) and self._coalesce_seconds > 0:
            reached = self._deliver_status(room, event, packet)
        else:
            self.flush_statuses(room)
            reached = self._deliver_to_all(room, event, data, packet)
        self._deliveries(event, reached, "live")
        if self._tells_emits:
            tell_emit(event.name, "conversation", reached, seq=event.seq)
        if event.name == DurableEvent.MESSAGE_NEW:
            self._on_message(room, event)

    def _data(self, event: ConversationEvent) -> bytes:
        """Return an event's data as clients get it: as stored, but for links of files."""
        if self._link is None or event.name != DurableEvent.MESSAGE_NEW:
            return event.data
        return with_links(event.data, self._link)

    def _deliver_to_all(
        self, room: Room, event: ConversationEvent, data: bytes, packet: PreparedPacket
    ) -> int:
        outlets = room.outlets_of_members()
        asked = self._deliveries.to_ask(event, room.members.values())
        if asked is None:
            return self._emitter.fan_out(outlets, packet)
        others = [outlet for outlet in outlets if outlet is not asked.outlet]
        reached = self._emitter.fan_out(others, packet)
        if self._emitter.ask(
            asked.sid, event.name, data, lambda *answer: self._deliveries.confirmed(event)
        ):
            self._deliveries.asked(event, asked)
            reached += 1
        return reached

    def _deliver_status(self, room: Room, event: ConversationEvent, packet: PreparedPacket) -> int:
        plain, batching = _by_feature(room)
        reached = self._emitter.fan_out(plain, packet)
        if not batching:
            return reached
        run = self._runs.setdefault(room.conversation_id, StatusRun())
        if run.add(event):
            self.flush_statuses(room)
        elif room.conversation_id not in self._timers:
            self._timers[room.conversation_id] = asyncio.get_running_loop().call_later(
                self._coalesce_seconds, self.flush_statuses, room
            )
        return reached

    def flush_statuses(self, room: Room) -> None:
        """Send what waits for the members that take batches."""
        if (timer := self._timers.pop(room.conversation_id, None)) is not None:
            timer.cancel()
        run = self._runs.pop(room.conversation_id, None)
        events = run.take() if run is not None else []
        if not events:
            return
        name, data = as_one(events)
        reached = self._emitter.fan_out(_by_feature(room)[1], prepare(name, data))
        self._deliveries.batch(name, events, reached)

    def replay(self, connection: Connection, events: list[ConversationEvent]) -> None:
        """Write missed events to one joiner, each with its own `seq`; see `deliver` for those
        that cannot be written."""
        for event in events:
            try:
                self._emitter.send(connection.sid, prepare(event.name, self._data(event)))
                self._deliveries(event, 1, "replay")
            except Exception as error:
                self._on_failure("replay an event", error)

    async def drained(self, connection: Connection) -> None:
        """Wait until the connection has taken what was written to it."""
        await self._emitter.drained(connection.sid)

    def forget_check(self, connection: Connection) -> None:
        """Let every membership of the connection be checked again before it catches up."""
        for membership in connection.joined.values():
            membership.checked = NEVER_CHECKED

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


def _by_feature(room: Room) -> tuple[list[Outlet], list[Outlet]]:
    """Return the members that get every status, and those that take batches."""
    plain: list[Outlet] = []
    batching: list[Outlet] = []
    for member in room.members.values():
        if member.outlet is not None:
            (batching if STATUS_BATCH in member.features else plain).append(member.outlet)
    return plain, batching
