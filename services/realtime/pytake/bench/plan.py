"""What a load process is told before it begins. Everything here can be sent to another process."""

from dataclasses import dataclass, replace

from pytake.bench.dialect import Dialect, Seat
from pytake.bench.swarm import Address


@dataclass(frozen=True)
class Shape:
    """How much of what."""

    connections: int = 200
    rooms: int = 20
    seconds: float = 10
    warm_up_seconds: float = 2
    repetitions: int = 3
    per_second: float = 20
    """Messages (latency, soak, mixed) or events (inbound) a second, over all processes."""
    window: int = 2
    """Messages under way at once (fanout)."""
    content_bytes: int = 100
    connecting_at_once: int = 64
    connects_per_second: float = 0
    """0: as fast as `connecting_at_once` allows."""
    asks_on_answer: bool = False
    """inbound: each client asks again at once; for servers without limits."""
    churn_per_minute: float = 0.1
    """soak, mixed: share of the connections that end and come back, a minute."""
    settle_seconds: float = 1.0


@dataclass(frozen=True)
class Plan:
    """The share of one process: its seats, by global numbers, and the room of each."""

    scenario: str
    shape: Shape
    address: Address
    dialect: Dialect
    seats: list[Seat]
    shard: int = 0
    shards: int = 1
    cpu: int | None = None
    engine: str = "auto"
    api: Address | None = None
    """Where requests go, if not where the sockets are."""
    lanes: int = 16

    addresses: tuple[Address, ...] = ()
    """More servers of one cluster: load processes take them in turns."""

    def share(self, shard: int, shards: int) -> "Plan":
        """Return the part of one of several processes: every n-th room, or every n-th seat.

        A room that one process fills alone makes its publishing know when a message is complete;
        with fewer rooms than processes each counts the part of the members that it holds.
        """
        rooms = max((seat.room for seat in self.seats), default=0) + 1
        by_room = rooms >= shards
        mine = [
            seat
            for number, seat in enumerate(self.seats)
            if (seat.room if by_room else number) % shards == shard
        ]
        each = 1 / shards
        shape = replace(
            self.shape,
            connections=len(mine),
            per_second=self.shape.per_second * each,
            window=max(1, round(self.shape.window * each)),
            connecting_at_once=max(1, round(self.shape.connecting_at_once * each)),
            connects_per_second=self.shape.connects_per_second * each,
        )
        servers = (self.address, *self.addresses)
        address = servers[shard % len(servers)]
        return replace(self, seats=mine, shard=shard, shards=shards, shape=shape, address=address)
