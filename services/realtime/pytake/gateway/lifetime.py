"""How long a connection may live: its token, its rights, its age, the life of its pod."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from pytake.application.access_ports import RightsView
from pytake.contract.rooms import rooms_at_connect
from pytake.contract.times import wire_time
from pytake.domain.errors import ErrorCode, NotAuthenticated
from pytake.domain.ids import UserId
from pytake.domain.principal import Principal
from pytake.gateway.audience import Audience
from pytake.gateway.connection import Connection
from pytake.gateway.handlers import same_user
from pytake.gateway.registry import Registry
from pytake.gateway.rooms import Rooms
from pytake.gateway.tasks import Tasks

log = structlog.get_logger()

WARN_SECONDS = 60.0
"""How long before the end of its token a client is told."""

GRACE_SECONDS = 5.0
"""How long after it the connection goes on: a refresh may be on its way."""

SUPERSEDED_SECONDS = 5.0

MOVE_SECONDS = 5.0
"""How long a client that was asked to move may take."""

MoveRooms = Callable[[str, list[str], list[str]], Awaitable[None]]


class Lifetime:
    """Ends connections whose time is over.

    Args:
        registry: Knows and ends connections.
        audience: Talks to them.
        rights: The users' rights as known here.
        rooms: Rooms whose members are checked after a change of role.
        authenticate: From a token to its principal.
        move_rooms: Takes a connection out of some rooms and puts it into others.
        max_age_seconds: After which connections are moved on; 0 for never.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        audience: Audience,
        rights: RightsView,
        rooms: Rooms,
        tasks: Tasks,
        authenticate: Callable[[str], Awaitable[Principal]],
        move_rooms: MoveRooms,
        max_age_seconds: float,
    ) -> None:
        self._registry = registry
        self._audience = audience
        self._rights = rights
        self._rooms = rooms
        self._tasks = tasks
        self._authenticate = authenticate
        self._move_rooms = move_rooms
        self._max_age_seconds = max_age_seconds
        self.is_draining = False

    def begin(self, connection: Connection) -> None:
        """Start the clocks of a new connection."""
        # Rights may have changed between the check of its token and this moment.
        self._tasks.start(self.judge(connection.principal.user_id), "judge a new connection")
        self._watch_token(connection)
        if self._max_age_seconds > 0:
            # Jitter, so that connections of one rush do not leave as one.
            seconds = self._max_age_seconds * random.uniform(0.8, 1.2)  # noqa: S311
            loop = asyncio.get_running_loop()
            connection.timers["age"] = loop.call_later(seconds, self._ask_to_move, connection)
        if self.is_draining:
            # Admitted before the drain, and greeted after its list was made.
            self._ask_to_move(connection)

    def _ask_to_move(self, connection: Connection) -> None:
        """The client opens its next connection first, as when a pod drains; who does not know
        the event is closed a moment later."""
        self._audience.send(connection, "server:draining", {"reconnect_after_ms": 0})
        self.end_after(connection, MOVE_SECONDS, ErrorCode.DRAINING)

    def is_leaving(self, connection: Connection) -> bool:
        """Whether the client was asked to open a connection elsewhere and join there first."""
        return self.is_draining or "drain" in connection.timers

    def _watch_token(self, connection: Connection) -> None:
        left = (connection.principal.expires_at - datetime.now(UTC)).total_seconds()
        loop = asyncio.get_running_loop()
        self._cancel(connection, "warn")
        connection.timers["warn"] = loop.call_later(
            max(0.0, left - WARN_SECONDS), self._warn, connection
        )
        self._later(connection, "expiry", max(0.0, left) + GRACE_SECONDS, ErrorCode.TOKEN_EXPIRED)

    def _warn(self, connection: Connection) -> None:
        data: dict[str, object] = {"expires_at": wire_time(connection.principal.expires_at)}
        self._audience.send(connection, "token:expiring", data)

    def end_soon(self, connection: Connection, code: ErrorCode) -> None:
        """End a connection after its successor has had time to join."""
        if "successor" not in connection.timers:
            self._later(connection, "successor", SUPERSEDED_SECONDS, code)

    def end_after(self, connection: Connection, seconds: float, code: ErrorCode) -> None:
        """End a connection by then, unless it has ended before."""
        self._later(connection, "drain", seconds, code)

    def _later(self, connection: Connection, name: str, seconds: float, code: ErrorCode) -> None:
        self._cancel(connection, name)
        loop = asyncio.get_running_loop()
        connection.timers[name] = loop.call_later(seconds, self._registry.end, connection.sid, code)

    def _cancel(self, connection: Connection, name: str) -> None:
        if (timer := connection.timers.pop(name, None)) is not None:
            timer.cancel()

    # --- rights ---------------------------------------------------------------------------

    async def refresh(self, connection: Connection, token: str) -> Principal:
        """Go on with a fresh token of the same user; rooms are kept.

        Raises:
            NotAuthenticated: The token is no good, or another user's.
            Unavailable: It cannot be judged at the moment.
        """
        principal = await self._authenticate(token)
        same_user(connection.principal, principal)
        if connection.is_open:
            await self._become(connection, principal)
            self._watch_token(connection)
        return principal

    async def _become(self, connection: Connection, principal: Principal) -> None:
        before, connection.principal = connection.principal, principal
        if before.role is principal.role:
            return
        old, new = rooms_at_connect(before), rooms_at_connect(principal)
        leave = [room for room in old if room not in new]
        enter = [room for room in new if room not in old]
        await self._move_rooms(connection.sid, leave, enter)
        self._audience.forget_check(connection)
        self._rooms.check_soon(membership.room for membership in connection.joined.values())
        self._audience.send(connection, "resync", {"scope": "inbox"})

    def end_revoked(self, user_id: UserId) -> None:
        """End at once those of a user's connections that were revoked."""
        for connection in self._registry.of_user(user_id):
            self._present(connection)

    async def judge(self, user_id: UserId) -> None:
        """Judge a user's connections anew: a revocation ends them, a role moves them."""
        for connection in self._registry.of_user(user_id):
            if (principal := self._present(connection)) is not None:
                await self._become(connection, principal)

    def _present(self, connection: Connection) -> Principal | None:
        """Return a connection's principal as of now; None ends the connection."""
        try:
            return self._rights.judge(connection.principal)
        except NotAuthenticated as error:
            self._registry.end(connection.sid, error.code)
            return None
