"""What the Socket.IO layer knows of one client, whatever carries it.

A peer is one Engine.IO session. `write` is the heart of the fast path: while the
client is on a websocket that takes bytes, it is the bound `write` of its transport,
so a broadcast is one attribute load and one C call per recipient. In every other
state it is None, and `send` decides (buffer, poll, drop).
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytake.transport.frames import PreparedPacket
    from pytake.transport.rooms import Member


class Peer:
    """One client below Socket.IO. Subclasses: `Session` (direct), `StockPeer`."""

    __slots__ = (
        "closed",
        "cork",
        "deflates",
        "inbox",
        "main",
        "others",
        "partial",
        "sid",
        "worker",
        "write",
    )

    def __init__(self, sid: str) -> None:
        self.sid = sid
        self.closed = False
        self.write: Callable[[bytes], Any] | None = None
        self.deflates = False
        # Frames that leave together at the end of this turn of the loop.
        self.cork: list[bytes] | None = None
        # Membership of the default namespace, and of the others where there are any.
        self.main: Member | None = None
        self.others: dict[str, Member] | None = None
        # What waits to be handled in order, and the task that does it.
        self.inbox: list[Any] | None = None
        self.worker: asyncio.Task[None] | None = None
        # A binary packet whose attachments are still arriving.
        self.partial: Any = None

    def member_of(self, namespace: str) -> "Member | None":
        """Return the Socket.IO side of this client in a namespace."""
        if namespace == "/":
            return self.main
        return self.others.get(namespace) if self.others else None

    def members(self) -> "Iterator[Member]":
        """Yield the memberships in all namespaces."""
        if self.main is not None:
            yield self.main
        if self.others:
            yield from list(self.others.values())

    def send(self, packet: "PreparedPacket", *, ephemeral: bool = False) -> bool:
        """Write or buffer a packet; False if the client is gone or the packet was shed."""
        raise NotImplementedError

    def uncork(self) -> None:
        """Write what was kept back for the end of the turn."""

    def pause_reading(self) -> None:
        """Stop taking events from the client until `resume_reading`."""

    def resume_reading(self) -> None:
        """Take events again."""

    def let_in(self) -> None:
        """The client is somebody now: its messages may be of any size that we take."""

    def expect_connect(self) -> None:
        """The client is in no namespace: give it limited time to enter one."""

    def stop_expecting_connect(self) -> None:
        """The client asked for a namespace: that time no longer runs."""

    def shut(self, reason: str, *, code: int = 1000) -> None:
        """Close the Engine.IO connection (not a Socket.IO DISCONNECT)."""
        raise NotImplementedError
