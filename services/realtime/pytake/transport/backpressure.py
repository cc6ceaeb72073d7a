"""How much may wait for clients that do not read.

Three bounds, so that a stalled reader costs what was agreed and no more: the kernel's
send buffer is fixed when the connection opens, the transport holds at most
`HIGH_WATER_BYTES`, and the rest waits here, per connection and for the whole process.
Frames sent as ephemeral (typing, presence) are dropped first; what is still too much
makes the connection a slow consumer, and it is closed. In the total, a frame shared by
many connections counts once, as it does in memory.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytake.transport.stats import TransportStats

if TYPE_CHECKING:
    from pytake.transport.frames import PreparedPacket
    from pytake.transport.session import Session

HIGH_WATER_BYTES = 65_536
KERNEL_SEND_BUFFER_BYTES = 131_072
# A packet of zero payload still occupies objects; this keeps the count bounded too.
_PACKET_OVERHEAD_BYTES = 64


class SendBudget:
    """Buffers packets for sessions that cannot be written to.

    Args:
        per_session_bytes: The most one session may have waiting.
        total_bytes: The most all sessions together may have waiting.
        on_overflow: Closes the session it is called with; its packets are already
            dropped then.
    """

    def __init__(
        self,
        per_session_bytes: int,
        total_bytes: int,
        stats: TransportStats,
        on_overflow: Callable[["Session"], None],
    ) -> None:
        self.per_session_bytes = per_session_bytes
        self.total_bytes = total_bytes
        self._stats = stats
        self._on_overflow = on_overflow
        self._debtors: set[Session] = set()

    def hold(self, session: "Session", packet: "PreparedPacket", *, ephemeral: bool) -> bool:
        """Buffer a packet; False if it or its session had to go."""
        pending = session.pending
        if pending is None:
            pending = session.pending = deque()
            self._debtors.add(session)
            self._stats.slow_connections += 1
        size = packet.size + _PACKET_OVERHEAD_BYTES
        if session.pending_bytes + size > self.per_session_bytes:
            self._shed(session)
            if session.pending_bytes + size > self.per_session_bytes and session.pending_bytes:
                if ephemeral:
                    self._stats.shed_frames += 1
                    return False
                self._overflow(session)
                return False
        pending.append((packet, ephemeral))
        session.pending_bytes += size
        packet.holders += 1
        if packet.holders == 1:
            self._stats.buffered_bytes += size
        if self._stats.buffered_bytes > self.total_bytes:
            self._relieve()
        return not session.closed

    def take(self, session: "Session") -> "PreparedPacket | None":
        """Remove and return the packet that waits longest."""
        pending = session.pending
        if not pending:
            return None
        packet, _ = pending.popleft()
        self._release(session, packet)
        if not pending:
            self._settle(session)
        return packet

    def drop(self, session: "Session") -> None:
        """Forget all that waits for a session."""
        if session.pending is not None:
            for packet, _ in session.pending:
                self._release(session, packet)
            self._settle(session)

    def _settle(self, session: "Session") -> None:
        session.pending = None
        self._debtors.discard(session)
        self._stats.slow_connections -= 1

    def _release(self, session: "Session", packet: "PreparedPacket") -> None:
        size = packet.size + _PACKET_OVERHEAD_BYTES
        session.pending_bytes -= size
        packet.holders -= 1
        if packet.holders == 0:
            self._stats.buffered_bytes -= size

    def _shed(self, session: "Session") -> None:
        pending = session.pending
        if not pending:
            return
        kept: deque[tuple[PreparedPacket, bool]] = deque()
        for packet, ephemeral in pending:
            if ephemeral:
                self._release(session, packet)
                self._stats.shed_frames += 1
            else:
                kept.append((packet, ephemeral))
        # In place: whoever holds a reference to this queue must see the same.
        pending.clear()
        pending.extend(kept)

    def _overflow(self, session: "Session") -> None:
        self.drop(session)
        self._on_overflow(session)

    def _relieve(self) -> None:
        """Bring the total back under its bound, the largest debtors first."""
        for session in list(self._debtors):
            self._shed(session)
            if not session.pending:
                self._settle(session)
        while self._stats.buffered_bytes > self.total_bytes and self._debtors:
            self._overflow(max(self._debtors, key=lambda session: session.pending_bytes))
