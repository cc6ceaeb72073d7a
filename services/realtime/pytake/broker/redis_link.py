"""One connection to Redis, as thin as it can be: commands out, replies in.

Two profiles build on it and must not be mixed: a command link has a deadline for every
reply, a subscription may be silent for hours and is watched by a canary instead.
"""

import asyncio
import random
import socket
from collections.abc import Callable, Sequence
from typing import Any

import hiredis

from pytake.transport.redis_address import Node, RedisAddress

CONNECT_SECONDS = 2.0
MAX_BACK_OFF_SECONDS = 3.0
"""Everybody has caught up five seconds after Redis is back: this, and the time to do it."""

FIRST_BACK_OFF_SECONDS = 0.1
READ_BYTES = 65_536

KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A peer that vanished without a word is noticed after half a minute, also when idle."""

_NOTHING = object()
# Its stub knows commands of one word only.
_pack: Callable[[tuple[str | bytes, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]

Command = Sequence[str | bytes | int | float]


class LinkLost(Exception):
    """The connection ended, could not be made, or speaks no Redis."""


class RedisLink:
    """An open connection. Replies come in the order of the commands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = hiredis.Reader(replyError=ReplyError, notEnoughData=_NOTHING)
        self._unwritten: list[bytes] = []
        self.name = str(writer.get_extra_info("peername"))

    @classmethod
    async def open(cls, node: Node, address: RedisAddress, *, database: bool = True) -> "RedisLink":
        """Connect and sign in; the server has answered when this returns.

        Raises:
            LinkLost: It does not answer within 2 s, or refuses us.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(*node, ssl=address.tls)
                link = cls(reader, writer)
                try:
                    link._keep_alive()
                    await link._sign_in(address, database=database)
                except BaseException:
                    link.close()
                    raise
                return link
        except (OSError, TimeoutError, ReplyError) as error:
            raise LinkLost(f"{node[0]}:{node[1]}: {error or type(error).__name__}") from error

    async def _sign_in(self, address: RedisAddress, *, database: bool) -> None:
        commands: list[Command] = []
        if address.password:
            login = [address.username] if address.username else []
            commands.append(["AUTH", *login, address.password])
        if database and address.database:
            commands.append(["SELECT", address.database])
        commands.append(["PING"])
        self.write(commands)
        for _ in commands:
            await self.read()

    def _keep_alive(self) -> None:
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):
                raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def write(self, commands: Sequence[Command]) -> None:
        """Send commands as one pipeline; nothing is awaited.

        All of one turn of the loop leave in one write: in a storm of connections the system
        calls would cost more than the commands.
        """
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unwritten += [_pack(tuple(map(_text, command))) for command in commands]

    def _flush(self) -> None:
        data, self._unwritten = b"".join(self._unwritten), []
        self._writer.write(data)

    @property
    def waiting_bytes(self) -> int:
        """What the server has not taken yet, but for what was written in this turn."""
        return int(self._writer.transport.get_write_buffer_size())

    async def read(self) -> Any:
        """Return the next reply.

        Raises:
            ReplyError: The server refused the command.
            LinkLost: The connection ended.
        """
        while (reply := self._next()) is _NOTHING:
            try:
                data = await self._reader.read(READ_BYTES)
            except OSError as error:
                raise LinkLost(str(error)) from error
            if not data:
                raise LinkLost("closed by the server")
            self._parser.feed(data)
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def _next(self) -> Any:
        try:
            return self._parser.gets()
        except hiredis.ProtocolError as error:
            raise LinkLost(str(error)) from error

    def close(self) -> None:
        """Drop the connection at once."""
        self._writer.transport.abort()


class ReplyError(Exception):
    """Redis refused a command; the link is good."""


def _text(part: str | bytes | int | float) -> str | bytes:
    return part if isinstance(part, str | bytes) else str(part)


async def find_master(address: RedisAddress) -> Node:
    """Return the server that takes writes at present; of a cluster any node that answers.

    Raises:
        LinkLost: No sentinel knows a master.
    """
    if address.kind == "cluster":
        return random.choice(address.nodes)  # noqa: S311
    if address.kind != "sentinel":
        return address.nodes[0]
    bare = RedisAddress("single", address.nodes, tls=address.tls)
    reasons = []
    for node in random.sample(address.nodes, len(address.nodes)):
        try:
            link = await RedisLink.open(node, bare)
        except LinkLost as error:
            reasons.append(str(error))
            continue
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                link.write([["SENTINEL", "get-master-addr-by-name", address.service]])
                found = await link.read()
            if found:
                return found[0].decode(), int(found[1])
        except (LinkLost, ReplyError, TimeoutError) as error:
            reasons.append(str(error))
        finally:
            link.close()
    raise LinkLost(f"no sentinel knows the master of {address.service}: {reasons}")


async def open_master(address: RedisAddress) -> RedisLink:
    """Return a link to the server that takes writes and says so itself.

    A sentinel may name a server that has just been demoted: its ROLE tells.

    Raises:
        LinkLost: There is none, or it does not answer each question within 2 s.
    """
    link = await RedisLink.open(await find_master(address), address)
    if address.kind == "sentinel":
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                link.write([["ROLE"]])
                role = (await link.read())[0]
            if role != b"master":
                raise LinkLost(f"the sentinel's master is a {role.decode()}")
        except (ReplyError, TimeoutError):
            link.close()
            raise LinkLost("the master does not tell its role") from None
        except BaseException:
            link.close()
            raise
    return link


class BackOff:
    """Waits between attempts: full jitter, doubling, at most 3 s; begins anew on success."""

    def __init__(self) -> None:
        self._attempt = 0

    def success(self) -> None:
        self._attempt = 0

    def next_seconds(self) -> float:
        limit = min(MAX_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2**self._attempt)
        if limit < MAX_BACK_OFF_SECONDS:
            self._attempt += 1
        return random.uniform(0, limit)  # noqa: S311
