"""The connections of this pod, by id and by user, and how each of them ends."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

import structlog

from pytake.contract.error_codes import error_object
from pytake.domain.errors import ErrorCode, PytakeError
from pytake.domain.ids import UserId
from pytake.gateway.connection import Connection
from pytake.gateway.emitter import Emitter, json_bytes, prepare
from pytake.gateway.tasks import Tasks
from pytake.transport import PreparedPacket

log = structlog.get_logger()

COME_BACK = frozenset({ErrorCode.DRAINING, ErrorCode.SLOW_CONSUMER, ErrorCode.UNAVAILABLE})
"""Codes after which the transport is closed, so that stock clients reconnect.

All others end with a DISCONNECT, after which stock clients stay away.
"""

CLOSE_SECONDS = 5.0


def last_words(code: ErrorCode, detail: str = "") -> PreparedPacket:
    """Return the `error` event that tells a client why it is closed."""
    return prepare("error", json_bytes(error_object(PytakeError(code, detail))))


class Registry:
    """Knows every connection from its admission to its end.

    Args:
        emitter: Writes to connections and ends them.
        tasks: Owner of the endings under way.
    """

    def __init__(self, emitter: Emitter, tasks: Tasks) -> None:
        self._emitter = emitter
        self._tasks = tasks
        self._by_sid: dict[str, Connection] = {}
        self._by_user: dict[UserId, dict[str, Connection]] = {}
        self.on_end: Callable[[Connection], None] = lambda connection: None
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self.closed_by_code: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._by_sid)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._by_sid.values()))

    def get(self, sid: str) -> Connection | None:
        return self._by_sid.get(sid)

    def of_user(self, user_id: UserId) -> list[Connection]:
        """Return the user's connections on this pod, oldest first."""
        return list(self._by_user.get(user_id, {}).values())

    def add(self, connection: Connection) -> None:
        self._is_empty.clear()
        self._by_sid[connection.sid] = connection
        user = connection.principal.user_id
        self._by_user.setdefault(user, {})[connection.sid] = connection

    def remove(self, sid: str) -> Connection | None:
        """Forget a connection; None if it was forgotten before."""
        connection = self._by_sid.pop(sid, None)
        if connection is None:
            return None
        connection.is_open = False
        connection.cancel_timers()
        of_user = self._by_user.get(connection.principal.user_id, {})
        of_user.pop(sid, None)
        if not of_user:
            self._by_user.pop(connection.principal.user_id, None)
        if not self._by_sid:
            self._is_empty.set()
        return connection

    async def empty(self) -> None:
        """Wait until nobody is connected."""
        await self._is_empty.wait()

    def end(self, sid: str, code: ErrorCode, detail: str = "") -> None:
        """End a connection for a reason, which it is told while it still takes bytes.

        Ending it twice keeps the first reason.
        """
        connection = self._by_sid.get(sid)
        if connection is None or connection.closing_code is not None:
            return
        connection.closing_code = code.value
        self.closed_by_code[code.value] += 1
        log.info("connection ended by the server", code=code.value)
        self._emitter.send(sid, last_words(code, detail))
        # At once: nothing that is sent from now on is for it any more.
        self.on_end(connection)
        self._tasks.start(self._close(connection, code), "end connection")

    def is_slow(self, sid: str) -> PreparedPacket | None:
        """Note that the transport is about to close a slow consumer; return its last packet."""
        connection = self._by_sid.get(sid)
        if connection is None or connection.closing_code is not None:
            return None
        connection.closing_code = ErrorCode.SLOW_CONSUMER.value
        self.closed_by_code[connection.closing_code] += 1
        log.info("connection ended by the server", code=connection.closing_code)
        return last_words(ErrorCode.SLOW_CONSUMER)

    async def _close(self, connection: Connection, code: ErrorCode) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                if code in COME_BACK:
                    await self._emitter.close_transport(connection.sid, code.value)
                else:
                    await self._emitter.disconnect(connection.sid)
        except TimeoutError:
            log.warning("a connection did not end in time", code=code.value)
