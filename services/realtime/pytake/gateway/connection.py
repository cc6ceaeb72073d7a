"""One connection of one user, as the pod remembers it."""

import asyncio
from collections import deque

from pytake.application.connection_ports import Place
from pytake.domain.ids import ConversationId
from pytake.domain.principal import Principal
from pytake.gateway.emitter import Outlet
from pytake.gateway.rooms import Room
from pytake.gateway.sequencer import Versions

STATUS_BATCH = "status_batch"
RECEIPTS = "receipts"
KNOWN_FEATURES = frozenset({STATUS_BATCH, RECEIPTS})


class Membership:
    """A connection's place in a conversation: a joiner until its cursor reaches the head.

    `cursor` is the `seq` of the last event that this connection was sent, `checked` the
    versions of rights under which it was allowed in. `replay` runs while it catches up.
    """

    __slots__ = ("checked", "cursor", "replay", "room")

    def __init__(self, room: Room, cursor: int, checked: Versions) -> None:
        self.room = room
        self.cursor = cursor
        self.checked = checked
        self.replay: asyncio.Task[None] | None = None


class Connection:
    """State of a connection. `is_open` turns False for good at its end.

    After every await a handler asks `is_open`: a join that ends after the disconnect
    would otherwise be a member for ever.
    """

    __slots__ = (
        "closing_code",
        "features",
        "is_open",
        "joined",
        "opened_at",
        "outlet",
        "predecessor",
        "principal",
        "refusals",
        "sid",
        "timers",
        "told_at",
        "transport",
    )

    def __init__(
        self, sid: str, principal: Principal, features: frozenset[str], opened_at: float
    ) -> None:
        self.sid = sid
        self.principal = principal
        self.features = features
        self.opened_at = opened_at
        self.transport = "websocket"
        self.outlet: Outlet | None = None
        self.predecessor: Place | None = None
        self.is_open = True
        self.closing_code: str | None = None
        self.joined: dict[ConversationId, Membership] = {}
        self.refusals: deque[float] = deque()
        self.told_at: dict[str, float] = {}
        self.timers: dict[str, asyncio.TimerHandle] = {}

    def cancel_timers(self) -> None:
        """Forget what was to happen later."""
        for timer in self.timers.values():
            timer.cancel()
        self.timers.clear()
