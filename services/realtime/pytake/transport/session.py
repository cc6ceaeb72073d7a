"""One Engine.IO client on direct sockets, on whichever transport it is.

A session starts on polling or on a websocket and may move from the first to the second.
Whatever is sent goes one way: straight to the websocket while that takes bytes, else
into the bounded buffer, from which the next poll or the drained websocket takes it. So
nothing overtakes anything, and an idle client has no task, no queue and no timer of its
own.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytake.transport.frames import PreparedPacket
from pytake.transport.peer import Peer

if TYPE_CHECKING:
    from pytake.transport.connection import Connection
    from pytake.transport.engine import DirectEngine
    from pytake.transport.handshake import Request

PING_PACKET = PreparedPacket(b"2")
CLOSE_TEXT, NOOP_TEXT = "1", "6"
# How long a polling client that is being closed may take to fetch its last packets.
FAREWELL_SECONDS = 5.0
# How long a websocket may take to flush and to answer our close frame.
CLOSE_SECONDS = 5.0
# python-engineio's client reads at most 16 packets of one polling response.
MAX_POLL_PACKETS = 16


class Session(Peer):
    """An Engine.IO session. `engine.sockets` maps its sid to it.

    Attributes:
        websocket: The connection it is on, None while it polls.
        is_somebody: Whether a namespace has let it in.
        poll: Resolved when an outstanding poll has something to answer: None means
            "look at the buffer", a list is the answer itself.
    """

    __slots__ = (
        "_connect_deadline",
        "_drained",
        "_farewell",
        "_ping_due",
        "_ping_sent",
        "_user_session",
        "engine",
        "environ",
        "is_somebody",
        "pending",
        "pending_bytes",
        "poll",
        "probe",
        "request",
        "websocket",
    )

    def __init__(self, engine: "DirectEngine", sid: str, request: "Request", now: float) -> None:
        super().__init__(sid)
        self.engine = engine
        self.request = request
        # Only when the application changed what it got: else it is built on demand.
        self.environ: dict[str, Any] | None = None
        self.websocket: Connection | None = None
        self.probe: Connection | None = None
        self.poll: asyncio.Future[list[str] | None] | None = None
        self.pending: deque[tuple[PreparedPacket, bool]] | None = None
        self.pending_bytes = 0
        self.is_somebody = False
        self._user_session: dict[str, Any] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._farewell: tuple[str, str, float] | None = None
        self._ping_sent = 0.0
        self._ping_due = now + engine.ping_interval + engine.ping_interval_grace_period
        self._connect_deadline = now + engine.connect_timeout if engine.connect_timeout else 0.0
        engine.wheel.schedule(self, self._next_deadline())

    # --- What python-engineio's sockets offer ----------------------------------------

    @property
    def session(self) -> dict[str, Any]:
        """The user session of python-socketio (`sio.session`, `sio.save_session`)."""
        if self._user_session is None:
            self._user_session = {}
        return self._user_session

    @session.setter
    def session(self, value: dict[str, Any]) -> None:
        self._user_session = value

    @property
    def upgraded(self) -> bool:
        return self.websocket is not None

    @property
    def upgrading(self) -> bool:
        return self.probe is not None

    @property
    def connected(self) -> bool:
        return not self.closed

    @property
    def transport_name(self) -> str:
        return "polling" if self.websocket is None else "websocket"

    async def close(
        self, wait: bool = True, abort: bool = False, reason: str | None = None
    ) -> None:
        """Close as python-engineio does; `wait` and `abort` have no further meaning."""
        self.shut(reason or self.engine.reason.SERVER_DISCONNECT, final=CLOSE_TEXT)

    # --- Sending ---------------------------------------------------------------------

    def send(self, packet: PreparedPacket, *, ephemeral: bool = False) -> bool:
        write = self.write
        if write is not None:
            self._write(packet, write)
            return True
        if self.closed or self._farewell is not None:
            return False
        held = self.engine.budget.hold(self, packet, ephemeral=ephemeral)
        if held and self.poll is not None and not self.poll.done():
            self.poll.set_result(None)
        return held

    def _write(self, packet: PreparedPacket, write: Callable[[bytes], Any]) -> None:
        engine = self.engine
        if self.deflates and packet.size >= engine.compression_threshold:
            data = packet.compressed
            engine.stats.compressed_frames += 1
        else:
            data = packet.frame
        write(data)
        engine.stats.frames_out += 1
        engine.stats.bytes_out += len(data)

    def flush(self) -> None:
        """Write what waits, and go back to writing directly when nothing does."""
        websocket = self.websocket
        if websocket is None or self.closed:
            return
        if self.cork is not None:
            self.uncork()
        while not websocket.paused:
            packet = self.engine.budget.take(self)
            if packet is None:
                self.write = websocket.transport.write
                self._wake_drained()
                return
            self._write(packet, websocket.transport.write)

    def uncork(self) -> None:
        cork, self.cork = self.cork, None
        websocket = self.websocket
        if cork is None or websocket is None or self.closed:
            return
        write = websocket.transport.write
        if not websocket.paused and self.pending is None:
            self.write = write
        if cork:
            write(cork[0] if len(cork) == 1 else b"".join(cork))

    def take_poll(self) -> list[str]:
        """Return what one poll may carry away."""
        packets: list[str] = []
        while len(packets) < MAX_POLL_PACKETS:
            pending = self.pending
            if not pending:
                break
            next_size = 1 + len(pending[0][0].attachments)
            if packets and len(packets) + next_size > MAX_POLL_PACKETS:
                break
            packet = self.engine.budget.take(self)
            if packet is not None:
                packets += packet.polling_packets()
        if self.pending is None:
            self._wake_drained()
            if self._farewell is not None:
                reason, final, _ = self._farewell
                packets.append(final)
                self.end(reason, final)
        return packets

    async def drained(self) -> bool:
        """Wait until nothing is buffered; False if the client is gone."""
        while not self.closed and self.pending is not None:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._drained)
        return not self.closed

    def _wake_drained(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # --- Receiving -------------------------------------------------------------------

    def receive(self, packet: bytes) -> None:
        """Take one Engine.IO text packet; a bad one closes the session."""
        if packet and packet[0] == 0x34:
            self.engine.on_message(self, packet)
            return
        kind = packet[:1]
        if kind == b"3":
            self._on_pong()
        elif kind == b"1":
            self.shut(self.engine.reason.CLIENT_DISCONNECT, final=NOOP_TEXT)
        elif kind not in (b"2", b"5", b"6"):
            self.shut("parse error", code=1002)

    def receive_binary(self, data: bytes) -> None:
        self.engine.on_binary(self, data)

    def _on_pong(self) -> None:
        if not self._ping_sent:
            return
        now = self.engine.now()
        self.engine.stats.observe_ping_rtt(max(0.0, now - self._ping_sent))
        self._ping_sent = 0.0
        if now >= self._ping_due:
            self.engine.wheel.schedule(self, now)

    def pause_reading(self) -> None:
        if self.websocket is not None:
            self.websocket.pause_reading()

    def resume_reading(self) -> None:
        if self.websocket is not None:
            self.websocket.resume_reading()

    # --- Deadlines -------------------------------------------------------------------

    def let_in(self) -> None:
        self.is_somebody = True
        if self.websocket is not None:
            self.websocket.allow(self.engine.max_http_buffer_size)

    @property
    def max_message_bytes(self) -> int:
        """What one message may have at the moment."""
        engine = self.engine
        most: int = (
            engine.max_http_buffer_size if self.is_somebody else engine.max_unconnected_bytes
        )
        return most

    def expect_connect(self) -> None:
        if self.engine.connect_timeout and not self.closed:
            self._connect_deadline = self.engine.now() + self.engine.connect_timeout
            self.engine.wheel.schedule(self, self._connect_deadline)

    def stop_expecting_connect(self) -> None:
        self._connect_deadline = 0.0

    def overdue(self, now: float) -> bool:
        """Close and tell if the client missed its time to answer a ping."""
        if self._ping_sent and now >= self._ping_sent + self.engine.ping_timeout:
            self.shut(self.engine.reason.PING_TIMEOUT)
            return True
        return False

    def on_deadline(self, now: float) -> None:
        """Called by the wheel when something may be due."""
        if self._farewell is not None:
            reason, final, until = self._farewell
            if now >= until:
                self.end(reason, final)
                return
        if self._connect_deadline and now >= self._connect_deadline:
            self.shut("connect timeout")
            return
        if self.overdue(now):
            return
        if not self._ping_sent and now >= self._ping_due:
            late = now - self._ping_due
            self._ping_sent = self._ping_due if late < 1.0 else now
            self._ping_due = self._ping_sent + self.engine.ping_interval
            self.send(PING_PACKET)
        if not self.closed:
            self.engine.wheel.schedule(self, self._next_deadline())

    def _next_deadline(self) -> float:
        due: float = self._ping_due
        if self._ping_sent:
            timeout: float = self._ping_sent + self.engine.ping_timeout
            # A late answer must still find us in time for the next ping.
            now: float = self.engine.now()
            due = timeout if due <= now else min(due, timeout)
        if self._connect_deadline:
            due = min(due, self._connect_deadline)
        if self._farewell is not None:
            due = min(due, self._farewell[2])
        return due

    # --- Changing transports and closing -----------------------------------------------

    def attach(self, connection: "Connection") -> None:
        """Continue on this websocket: from now on it carries everything."""
        self.websocket = connection
        self.deflates = connection.deflates
        connection.allow(self.max_message_bytes)
        self.probe = None
        self.release_poll()
        self.flush()

    def release_poll(self) -> None:
        """End an outstanding poll, so that the client can leave polling."""
        self._answer_poll([NOOP_TEXT])

    def _answer_poll(self, packets: list[str]) -> None:
        if self.poll is not None and not self.poll.done():
            self.poll.set_result(packets)

    def shut(
        self,
        reason: str,
        *,
        code: int = 1000,
        final: str = NOOP_TEXT,
        last: bytes = b"",
        patience_seconds: float = CLOSE_SECONDS,
    ) -> None:
        """Close the transport; what waits is flushed first, for a bounded time.

        Args:
            reason: What the disconnect handler and the counters are told.
            code: Of the websocket close frame.
            final: The last packet of a polling client. After CLOSE, stock clients of
                Python stay away; after NOOP they find the session gone and come back.
            last: A websocket frame to put before the close frame.
            patience_seconds: After it the connection is reset.
        """
        if self.closed or self._farewell is not None:
            return
        websocket = self.websocket
        if websocket is None:
            # A ping timeout means that nobody polls: there is no farewell to wait for.
            if self.pending is not None and reason != self.engine.reason.PING_TIMEOUT:
                self._farewell = (reason, final, self.engine.now() + FAREWELL_SECONDS)
                self.engine.wheel.schedule(self, self._farewell[2])
                if self.poll is not None and not self.poll.done():
                    self.poll.set_result(None)
                return
            self.end(reason, final)
            return
        frames = self.cork or []
        self.cork = None
        while (packet := self.engine.budget.take(self)) is not None:
            frames.append(packet.frame)
        self.end(reason, final)
        websocket.close(code, b"".join(frames) + last, patience_seconds)

    def end(self, reason: str, final: str = NOOP_TEXT) -> None:
        """Forget the session and tell the application. Idempotent; writes nothing."""
        if self.closed:
            return
        self.closed = True
        self.write = None
        self.engine.budget.drop(self)
        self._wake_drained()
        self._answer_poll([final])
        if self.probe is not None:
            self.probe.close(1000)
            self.probe = None
        self.engine.forget(self, reason)
        # The deadline of this session may stay in the wheel for a while; the rest goes now.
        self.websocket = None
