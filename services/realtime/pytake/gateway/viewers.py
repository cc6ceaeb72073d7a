"""Who has a conversation open, told to all who have: at most twice a second.

Each pod shows its own viewers on the board and hears of the others'; what a client gets
is the union. Viewers are users, not connections: two tabs of Ana are one Ana.
"""

import asyncio
from collections.abc import Sequence

from pytake.application.connection_ports import PodId, Viewer, ViewerBoard
from pytake.domain.ids import ConversationId
from pytake.gateway.connection import Connection
from pytake.gateway.emitter import Emitter, Outlet, json_bytes, prepare
from pytake.gateway.rooms import Room
from pytake.gateway.tasks import Tasks

EVERY_SECONDS = 0.5
MAX_NAMED = 50
SHOW_AGAIN_SECONDS = 15.0
"""How often a pod repeats what it shows; the board forgets after three times that."""


class _Seats:
    """Viewers of one conversation: ours by connection, the others' by pod."""

    __slots__ = (
        "elsewhere",
        "here",
        "last_told",
        "last_update",
        "outlets",
        "room",
        "shown",
        "timer",
    )

    def __init__(self, room: Room) -> None:
        self.room = room
        self.here: dict[str, Viewer] = {}
        self.outlets: dict[str, Outlet] = {}
        self.elsewhere: dict[PodId, tuple[Viewer, ...]] = {}
        self.shown: tuple[Viewer, ...] = ()
        self.last_told = -EVERY_SECONDS
        self.last_update: bytes = b""
        self.timer: asyncio.TimerHandle | None = None


class Viewers:
    """Viewers of all conversations that are open on this pod."""

    def __init__(self, emitter: Emitter, board: ViewerBoard, tasks: Tasks) -> None:
        self._emitter = emitter
        self._board = board
        self._tasks = tasks
        self._seats: dict[ConversationId, _Seats] = {}

    def start(self) -> None:
        self._board.listen(self._on_others)
        self._tasks.keep(self._repeat, "show viewers again")

    def joined(self, connection: Connection, room: Room) -> None:
        """Count a connection among the viewers."""
        seats = self._seats.get(room.conversation_id)
        if seats is None:
            seats = self._seats[room.conversation_id] = _Seats(room)
            self._tasks.start(self._read_others(seats), "read viewers elsewhere")
        principal = connection.principal
        seats.here[connection.sid] = Viewer(principal.user_id, principal.name)
        if connection.outlet is not None:
            seats.outlets[connection.sid] = connection.outlet
        # Who has just come must hear of the others although nothing changed for them.
        seats.last_update = b""
        self._soon(seats)

    def left(self, connection: Connection, conversation_id: ConversationId) -> None:
        """Count a connection no more."""
        seats = self._seats.get(conversation_id)
        if seats is not None and seats.here.pop(connection.sid, None) is not None:
            seats.outlets.pop(connection.sid, None)
            self._soon(seats)

    def _on_others(
        self, conversation_id: ConversationId, pod_id: PodId, viewers: Sequence[Viewer]
    ) -> None:
        seats = self._seats.get(conversation_id)
        if seats is None:
            return
        if viewers:
            seats.elsewhere[pod_id] = tuple(viewers)
        else:
            seats.elsewhere.pop(pod_id, None)
        self._soon(seats)

    async def _read_others(self, seats: _Seats) -> None:
        others = await self._board.others(seats.room.conversation_id)
        if others is not None:
            seats.elsewhere = {pod: tuple(viewers) for pod, viewers in others.items()}
        self._soon(seats)

    def _soon(self, seats: _Seats) -> None:
        if seats.timer is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time() + 0.01, seats.last_told + EVERY_SECONDS)
            seats.timer = loop.call_at(due, self._tell, seats)

    def _tell(self, seats: _Seats) -> None:
        seats.timer = None
        seats.last_told = asyncio.get_running_loop().time()
        mine = _distinct(list(seats.here.values()))
        if mine != seats.shown:
            seats.shown = mine
            self._show(seats)
        if not seats.here:
            self._seats.pop(seats.room.conversation_id, None)
            return
        update = _update(seats)
        if update != seats.last_update:
            seats.last_update = update
            packet = prepare("presence:update", update)
            self._emitter.fan_out(list(seats.outlets.values()), packet, ephemeral=True)

    def _show(self, seats: _Seats) -> None:
        self._tasks.start(self._board.show(seats.room.conversation_id, seats.shown), "show viewers")

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(SHOW_AGAIN_SECONDS)
            for seats in list(self._seats.values()):
                await self._read_others(seats)
                self._show(seats)

    def stop(self) -> None:
        for seats in self._seats.values():
            if seats.timer is not None:
                seats.timer.cancel()


def _distinct(viewers: list[Viewer]) -> tuple[Viewer, ...]:
    return tuple({viewer.user_id: viewer for viewer in viewers}.values())


def _update(seats: _Seats) -> bytes:
    everybody = [*seats.here.values()]
    for viewers in seats.elsewhere.values():
        everybody += viewers
    distinct = _distinct(everybody)
    named = [{"user_id": each.user_id, "name": each.name} for each in distinct[:MAX_NAMED]]
    return json_bytes(
        {
            "conversation_id": seats.room.conversation_id,
            "viewers": named,
            "count": len(distinct),
        }
    )
