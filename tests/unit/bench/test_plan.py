"""A load is shared out so that the parts add up to the whole."""

from collections import Counter

import pytest

from pytake.bench.dialect import Peer, Room, Seat
from pytake.bench.plan import Plan, Shape
from pytake.bench.swarm import Address

HERE = Address("127.0.0.1", 1, "127.0.0.1")
THERE = Address("127.0.0.1", 2, "127.0.0.1")


def plan_of(connections: int, rooms: int, **shape: float) -> Plan:
    seats = [Seat(f"token-{n}", n % rooms) for n in range(connections)]
    whole = Shape(connections=connections, rooms=rooms, **shape)  # type: ignore[arg-type]
    return Plan("latency", whole, HERE, Peer([Room(str(n)) for n in range(rooms)]), seats)


@pytest.mark.parametrize(("connections", "rooms", "shards"), [(100, 10, 3), (7, 1, 4), (5, 5, 2)])
def test_every_seat_is_in_exactly_one_part(connections: int, rooms: int, shards: int) -> None:
    plan = plan_of(connections, rooms)

    parts = [plan.share(shard, shards) for shard in range(shards)]

    seats = Counter(seat.token for part in parts for seat in part.seats)
    assert seats == Counter(seat.token for seat in plan.seats)
    assert all(part.shape.connections == len(part.seats) for part in parts)


def test_a_room_stays_whole_while_there_are_enough_of_them() -> None:
    parts = [plan_of(60, 6).share(shard, 3) for shard in range(3)]

    rooms = [{seat.room for seat in part.seats} for part in parts]
    assert not rooms[0] & rooms[1] | rooms[1] & rooms[2] | rooms[0] & rooms[2]


def test_rates_add_up() -> None:
    parts = [plan_of(60, 6, per_second=30).share(shard, 3) for shard in range(3)]

    assert sum(part.shape.per_second for part in parts) == pytest.approx(30)


def test_processes_take_the_pods_of_a_cluster_in_turns() -> None:
    plan = Plan(**{**vars(plan_of(4, 4)), "addresses": (THERE,)})

    assert [plan.share(shard, 4).address for shard in range(4)] == [HERE, THERE, HERE, THERE]
