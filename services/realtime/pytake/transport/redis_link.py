"""One connection to one Redis server, over hiredis.

redis-py spends about 500 µs of CPU on a published message; writing RESP to a socket and
reading it with hiredis' parser spends about 50. A link connects once: when it is lost it
says so and is thrown away. Whoever owns it makes the next.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hiredis

CONNECT_SECONDS = 3.0
# Commands without an answer that a link holds before a caller must wait.
MAX_UNSENT_BYTES = 1_048_576

Push = Callable[[list[Any]], None]


class LinkLost(ConnectionError):
    """The connection to Redis is gone; what was under way may or may not have happened."""


@dataclass(frozen=True)
class Server:
    """Where a Redis server listens and how to log in."""

    host: str
    port: int
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    unix_path: str | None = None


class RedisLink(asyncio.Protocol):
    """A connected, logged-in RESP2 connection.

    Args:
        on_push: Receives what a subscription sends, acknowledgements included. With it,
            no replies are expected to anything after `open`.
        on_lost: Called once, when the connection ends for any reason.
    """

    def __init__(
        self, on_push: Push | None = None, on_lost: Callable[[], None] | None = None
    ) -> None:
        self._on_push = on_push
        self._on_lost = on_lost
        self._reader = hiredis.Reader()
        self._replies: deque[asyncio.Future[Any] | None] = deque()
        self._transport: asyncio.Transport | None = None
        self._writable: asyncio.Event = asyncio.Event()
        self._writable.set()
        self._unwritten: list[bytes] = []
        self.lost = False

    @classmethod
    async def open(
        cls,
        server: Server,
        on_push: Push | None = None,
        on_lost: Callable[[], None] | None = None,
    ) -> "RedisLink":
        """Connect and log in.

        Raises:
            OSError: The server cannot be reached, refuses us, or takes too long.
        """
        loop = asyncio.get_running_loop()
        link = cls(on_push, on_lost)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if server.unix_path:
                    await loop.create_unix_connection(lambda: link, server.unix_path)
                else:
                    await loop.create_connection(
                        lambda: link, server.host, server.port, ssl=server.tls
                    )
                if server.password is not None:
                    user = (server.username,) if server.username else ()
                    await link.call("AUTH", *user, server.password)
                if server.database:
                    await link.call("SELECT", server.database)
        except hiredis.ReplyError as error:
            link.close()
            raise LinkLost(f"Redis refused the login: {error}") from None
        except BaseException:
            link.close()
            raise
        return link

    # --- Commands ------------------------------------------------------------------------

    async def call(self, *command: Any) -> Any:
        """Send a command and return its reply.

        Raises:
            LinkLost: The connection ended before the reply came.
            hiredis.ReplyError: Redis answered with an error.
        """
        future = asyncio.get_running_loop().create_future()
        self._write(future, command)
        reply = await future
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    def send(self, *command: Any, expect_reply: bool = True) -> None:
        """Send a command and ignore its reply. Commands of one turn of the loop leave
        in one write."""
        self._write(None, command, expect_reply=expect_reply)

    async def writable(self) -> None:
        """Wait while too much is unwritten."""
        await self._writable.wait()
        if self.lost:
            raise LinkLost("the connection to Redis is lost")

    def _write(
        self,
        future: "asyncio.Future[Any] | None",
        command: tuple[Any, ...],
        *,
        expect_reply: bool = True,
    ) -> None:
        if self.lost or self._transport is None:
            raise LinkLost("the connection to Redis is lost")
        if expect_reply:
            self._replies.append(future)
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unwritten.append(hiredis.pack_command(command))

    def _flush(self) -> None:
        data, self._unwritten = b"".join(self._unwritten), []
        if self._transport is not None and not self.lost:
            self._transport.write(data)

    def close(self) -> None:
        """End the connection; `on_lost` is not called."""
        self._on_lost = None
        self._end()
        if self._transport is not None:
            self._transport.abort()

    # --- The protocol ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        assert self._transport is not None  # noqa: S101
        self._transport.set_write_buffer_limits(high=MAX_UNSENT_BYTES)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._take(reply)
        except hiredis.ProtocolError:
            if self._transport is not None:
                self._transport.abort()

    def _take(self, reply: Any) -> None:
        if self._replies:
            future = self._replies.popleft()
            if future is not None and not future.done():
                future.set_result(reply)
        elif self._on_push is not None:
            self._on_push(reply)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        on_lost = self._on_lost
        self._end()
        if on_lost is not None:
            on_lost()

    def _end(self) -> None:
        self.lost = True
        self._on_lost = None
        self._writable.set()
        replies, self._replies = self._replies, deque()
        for future in replies:
            if future is not None and not future.done():
                future.set_exception(LinkLost("the connection to Redis is lost"))
                with contextlib.suppress(LinkLost):
                    future.exception()
