"""Thousands of clients as one object: what both generators can do, and which one is taken.

The one in C costs a few microseconds a frame, and speaks ws:// only. The one in Python costs three
times as much, and speaks wss://, too. Scenarios are written once, against this interface, in one
thread: things happen in `step`, everything else returns at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from pytake.bench.histogram import Histogram

LAST_SEQ = "%S"
"""In a join: replaced by the highest `seq` that the seat has seen."""


class State(IntEnum):
    """Where a seat is; from LOST on it has ended, and the name says how."""

    EMPTY = 0
    CONNECTING = 1
    UPGRADING = 2
    OPENING = 3
    NAMING = 4
    JOINING = 5
    READY = 6
    LOST = 7
    REFUSED = 8
    BUSY = 9
    """Refused for now (503, a closed door): a client would try again."""


class Timing(IntEnum):
    """What is timed; each has a histogram."""

    CONNECTED = 0
    DELIVERED = 1
    ANSWERED = 2
    REQUESTED = 3


@dataclass
class Counts:
    """What happened since the swarm was made; `ready` is how many are connected now."""

    ready: int = 0
    lost: int = 0
    refused: int = 0
    busy: int = 0
    deliveries: int = 0
    own_deliveries: int = 0
    replayed: int = 0
    delivered_bytes: int = 0
    answers: int = 0
    pings: int = 0
    others: int = 0
    errors: int = 0
    requests: int = 0
    ok_answers: int = 0
    limited_answers: int = 0
    bad_answers: int = 0
    failed_requests: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0

    @property
    def frames(self) -> int:
        """Everything that came over the sockets."""
        return self.deliveries + self.answers + self.pings + self.others + self.errors


@dataclass(frozen=True)
class Speech:
    """How packets begin that confirm a join, deliver a message and answer a question."""

    joined: str
    delivered: str
    answered: str


@dataclass(frozen=True)
class Address:
    """Where to connect, resolved."""

    ip: str
    port: int
    host: str
    path: str = "/socket.io/"
    is_tls: bool = False
    verifies: bool = True
    origin: str = ""
    compresses: bool = False

    @property
    def authority(self) -> str:
        """The host as requests name it."""
        return f"{self.host}:{self.port}"

    @property
    def upgrade_request(self) -> str:
        """The handshake of a WebSocket, ready to send."""
        lines = [
            f"GET {self.path}?EIO=4&transport=websocket HTTP/1.1",
            f"Host: {self.authority}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: cHl0YWtlLWJlbmNoLWtleQ==",
            "User-Agent: pytake-bench",
        ]
        if self.origin:
            lines.append(f"Origin: {self.origin}")
        if self.compresses:
            lines.append("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
        return "\r\n".join(lines) + "\r\n\r\n"


class Swarm(Protocol):
    """Clients with numbers, and some connections for HTTP requests beside them."""

    is_native: bool

    def seat(self, number: int, auth: str, join: str, seen: int = 0) -> None:
        """Say what connections of this seat send: CONNECT, and a join or nothing.

        What is delivered to a seat and was written before it was ready counts as replayed: it
        is a delivery, and its latency is not recorded.
        """

    def open(self, number: int) -> None:
        """Begin to connect; an open connection is reset first."""

    def close(self, number: int) -> None:
        """Reset the connection."""

    def stall(self, number: int) -> None:
        """Stop reading from it, as a machine that sleeps."""

    def say(self, number: int, packet: str) -> bool:
        """Send a packet if the seat is ready; the next answer is timed from here."""

    def repeat(self, packet: str) -> None:
        """Ask this again at once after each answer; empty ends it."""

    def request(self, request: bytes) -> bool:
        """Send a whole HTTP request; False if all connections wait for answers."""

    def step(self, milliseconds: int, own_deliveries: int = 0) -> None:
        """Take what comes for so long; or, if given, until there are so many own deliveries."""

    def measure(self, begins: bool) -> None:
        """Begin to record latencies, forgetting what was recorded; or end it."""

    def counts(self) -> Counts:
        """Return a copy of what was counted."""

    def count(self, name: str) -> int:
        """Return one of the counts; cheaper than all of them."""

    def histogram(self, timing: Timing) -> Histogram:
        """Return a copy of what was recorded."""

    def states(self) -> Sequence[int]:
        """Return the state of each seat."""

    def retry_after_seconds(self, number: int) -> float:
        """What the server asked this seat to wait before its next handshake."""

    def last_error(self) -> str:
        """What a server answered last that was no success."""

    def end(self) -> None:
        """Reset everything."""
