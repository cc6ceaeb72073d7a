"""A pod of the gateway without a network: bytes of a client in, and nothing must break.

Everything between the bytes of a websocket (or the body of a POST) and the store is the real
thing: parser, sessions, packets, guard, handlers, SQLite. Only the kernel's sockets are not
there, so that an input costs a fraction of a millisecond.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import Any

import structlog

from cluster.waiting import eventually
from fuzz.words import CONVERSATION, POLLING, RAW, SEPARATOR
from integration.gateway.pods import Cluster
from pytake.application.mark_read import MarkRead
from pytake.broker.memory import MemoryBroker
from pytake.gateway.pod import Gateway, Options, Ports, build
from pytake.limits.memory import MemoryEventRates, MemoryPlaces, MemoryPlaceTable
from pytake.store import migrate, open_store
from pytake.transport import polling
from pytake.transport.connection import Connection
from pytake.transport.frames import frame

MAX_PACKETS = 16
CHECK_EVERY = 500
"""Inputs after which everything must be quiet and empty."""

LINES_AT_MOST = 20
"""Log lines in ten seconds, however many frames: one for each reason."""

_HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\n"
    b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"sec-websocket-extensions: permessage-deflate\r\n\r\n"
)


class MemoryTransport(asyncio.Transport):
    """Takes what is written and forgets it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self._loop = loop
        self._protocol: Any = None
        self._closing = False

    def write(self, data: Any) -> None:
        assert isinstance(data, bytes | bytearray | memoryview)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class _Lines(logging.Handler):
    """Counts what is logged, by us and by libraries, and keeps the newest."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._began = time.monotonic()
        self.count = 0
        self.newest: list[str] = []
        logging.getLogger().addHandler(self)
        structlog.configure(
            processors=[self._take],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            cache_logger_on_first_use=False,
        )

    def emit(self, record: logging.LogRecord) -> None:
        self._add(record.getMessage())

    def _take(self, logger: Any, method: str, event: Any) -> Any:
        self._add(str(event))
        raise structlog.DropEvent

    def _add(self, line: str) -> None:
        self.count += 1
        self.newest = [*self.newest[-4:], line[:500]]

    @property
    def allowed(self) -> float:
        return LINES_AT_MOST * (1 + (time.monotonic() - self._began) / 10)


class GatewayTarget:
    """Runs inputs against one pod; see `Target` of `__main__`."""

    def __init__(self, folder: Path) -> None:
        self.frames = 0
        self._inputs = 0
        self._uncaught: list[Any] = []
        self._lines = _Lines()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self._uncaught.append(context))
        self._loop.run_until_complete(self._start(folder))

    async def _start(self, folder: Path) -> None:
        url = f"sqlite+aiosqlite:///{folder / 'fuzz.db'}"
        await migrate(url)
        self._stack = contextlib.AsyncExitStack()
        store = await self._stack.enter_async_context(open_store(url))
        cluster = Cluster(store, MemoryBroker())
        self._conversation = await cluster.conversation()
        for text in ("one", "two", "three"):
            await cluster.write(self._conversation, text)
        self._token = cluster.token("ana", seconds=10**6)
        ports = Ports(
            verify=cluster.verify,
            event_log=store.event_log,
            users=store.users,
            rights=cluster.rights,
            rights_refresh=cluster.rights.load,
            mark_read=MarkRead(store.conversations, store.conversations, _Nobody()),
            feed=cluster.broker.feed(),
            places=MemoryPlaces("fuzz-pod", 10**6, MemoryPlaceTable()),
            # Refusals for going too fast would hide everything behind them.
            rates=MemoryEventRates(10**9, 1.0),
            signals=cluster.broker.pod_signals("fuzz-pod"),
            viewers=cluster.broker.viewer_board("fuzz-pod"),
        )
        options = Options(handshake_rate=10**9, ping_interval=3600, max_event_bytes=2048)
        self._gateway: Gateway = build(options, ports, pod_id="fuzz-pod")
        await self._gateway.start()
        self._gateway.asgi()
        self._engine: Any = self._gateway.server.eio

    def __call__(self, data: bytes) -> None:
        self._loop.run_until_complete(self._input(data))
        self._inputs += 1
        if self._inputs % CHECK_EVERY == 0:
            self._loop.run_until_complete(self._is_quiet())

    async def _input(self, data: bytes) -> None:
        kind, rest = data[:1], data[1:]
        rest = rest.replace(CONVERSATION.encode(), self._conversation.encode())
        if kind == POLLING:
            await self._by_polling(rest)
        else:
            await self._by_websocket(kind, rest)
        self._gateway.admission._failed.clear()
        assert self._uncaught == [], self._uncaught[0]
        assert self._engine_errors() == 0, self._lines.newest

    def _engine_errors(self) -> float:
        metric = self._gateway.metrics.unhandled_errors
        unhandled: float = sum(metric.cell(where).value for where in ("event", "task", "handshake"))
        return self._gateway.server.stats.handler_errors + unhandled

    async def _by_websocket(self, kind: bytes, data: bytes) -> None:
        transport = MemoryTransport(self._loop)
        connection = Connection(self._engine, {"server_state": _ServerState()})
        transport.set_protocol(connection)
        connection.connection_made(transport)
        connection.data_received(_HANDSHAKE)
        session = connection.session
        assert session is not None
        # Half of the inputs come from somebody who is in, half from a stranger.
        if len(data) % 2:
            connection.data_received(_masked(b'40{"token":"' + self._token.encode() + b'"}'))
            await self._handled(session)
        if kind == RAW:
            self._feed(connection, data)
        else:
            for packet in data.split(SEPARATOR)[:MAX_PACKETS]:
                self._feed(connection, _masked(packet))
        await self._handled(session)
        transport.close()
        await self._handled(session)

    def _feed(self, connection: Connection, data: bytes) -> None:
        self.frames += 1
        # asyncio never hands over nothing.
        if data and not connection.transport.is_closing():
            connection.data_received(data)

    async def _by_polling(self, data: bytes) -> None:
        session = self._engine.open_session(_request(), "polling")
        self._gateway.server.peer_arrived(session)
        if len(data) % 2:
            session.receive(b'40{"token":"' + self._token.encode() + b'"}')
            await self._handled(session)
        self.frames += 1 + data.count(SEPARATOR)
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/socket.io/",
            "query_string": f"EIO=4&transport=polling&sid={session.sid}".encode(),
            "headers": [],
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": data, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await polling.handle(self._engine, scope, receive, send)
        assert sent[0]["status"] in (200, 400, 413), sent
        await self._handled(session)
        session.end("transport close")
        await self._handled(session)

    async def _handled(self, session: Any) -> None:
        """Wait until everything that the client sent has been handled."""
        turns = 0
        while session.worker is not None or session.inbox:
            turns += 1
            await asyncio.sleep(0 if turns < 20 else 0.0005)
        await asyncio.sleep(0)

    async def _is_quiet(self) -> None:
        """Nothing is left of any input: no session, no connection, no room, no byte."""
        gateway, engine = self._gateway, self._engine
        await eventually(lambda: not engine.sockets and not engine.leaving, "no session is left")
        await eventually(lambda: len(gateway.registry) == 0, "no connection is left")
        assert not gateway.sessions._admitted
        assert not gateway.server._admitted
        assert gateway.server.stats.buffered_bytes == 0
        assert gateway.server.stats.connections == 0
        assert not gateway.typing._ends
        assert all(not room.members for room in gateway.rooms)
        assert self._lines.count <= self._lines.allowed, (self._lines.count, self._lines.newest)

    def check(self) -> str:
        self._loop.run_until_complete(self._is_quiet())
        stats = self._gateway.server.stats
        return (
            f"{self._inputs} inputs, {sum(stats.closed.values())} connections, "
            f"{stats.closed['parse error']} closed for what they sent, "
            f"{self._lines.count} log lines, nothing unhandled, nothing left"
        )


class _ServerState:
    def __init__(self) -> None:
        self.connections: set[Any] = set()


class _Nobody:
    async def emit(self, rooms: Any, event: str, data: Any) -> None:
        """There is nobody to tell."""


def _request() -> Any:
    from pytake.transport.handshake import Request

    return Request(b"GET /socket.io/ HTTP/1.1\r\nhost: x", ("127.0.0.1", 1), None, "http")


def _masked(payload: bytes, opcode: int = 1) -> bytes:
    """Return a frame as clients send it, with a mask of zeros."""
    plain = frame(payload, opcode)
    head = len(plain) - len(payload)
    return bytes([plain[0], plain[1] | 0x80]) + plain[2:head] + bytes(4) + payload
