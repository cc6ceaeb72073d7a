"""Measures what things cost, for `pytake bench capacity`: writes costs.json of that package.

    python tests/load/measure_costs.py   # three minutes, on a quiet machine
    python tests/load/measure_costs.py --dry      # prints, and writes nothing

Two gateways, API, relay, Redis and PostgreSQL of a real cluster, loaded by the generator in C
without a proxy; then NGINX with TLS, loaded by the one in Python. Messages and deliveries are told
apart by two rooms' sizes at one rate of messages: the difference is the recipients'.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.cluster import Cluster
from pytake.bench.capacity import costs
from pytake.bench.capacity.costs import Costs
from pytake.bench.load import Scenario
from pytake.bench.plan import Plan, Shape
from pytake.bench.result import Repetition
from pytake.bench.run import Run
from pytake.bench.scenarios import Connect, Inbound, Latency
from pytake.bench.server_figures import uses_of, with_children
from pytake.bench.world import People, address_of, make_world

MESSAGES = 60.0
ROOMS = 20
SMALL, LARGE = 2, 50


@dataclass(frozen=True)
class Size:
    """How long and how many; a small one tells whether it works, and no figure to keep."""

    connections: int = 2000
    proxied: int = 200
    idle_seconds: float = 30
    seconds: float = 20


SHORT = Size(connections=600, proxied=80, idle_seconds=6, seconds=6)
QUICK = Size(connections=200, proxied=40, idle_seconds=3, seconds=2)


@dataclass
class Measured:
    """A run, and the processor seconds of each part meanwhile, ordinary life subtracted."""

    repetition: Repetition
    cpu: dict[str, float]


class Bench:
    """A cluster, and how much its parts use when nobody is there."""

    def __init__(self, cluster: Cluster, resting_seconds: float) -> None:
        self.cluster = cluster
        self.parts = {
            "gateway": [pod.pid for pod in cluster.gateways],
            "api": [pod.pid for pod in cluster.apis],
            "relay": [pod.pid for pod in cluster.pods if pod.kind == "relay"],
            "redis": [cluster.redis.pid],
            "postgres": [cluster.postgres.pid],
            "nginx": [cluster.nginx.pid],
        }
        self.gateways = [address_of(pod.address) for pod in cluster.gateways]
        self.api = address_of(cluster.apis[0].address)
        self.resting = self.share_of_cores(resting_seconds)

    def cpu(self) -> dict[str, float]:
        found = {}
        for part, pids in self.parts.items():
            family = {child for pid in pids for child in with_children(pid)}
            found[part] = sum(use.cpu_seconds for use in uses_of(family).values())
        return found

    def share_of_cores(self, seconds: float) -> dict[str, float]:
        """What each part uses a second while nothing is asked of it."""
        before = self.cpu()
        time.sleep(seconds)
        after = self.cpu()
        return {part: (after[part] - before[part]) / seconds for part in before}

    def run(
        self, name: str, scenario: Scenario, shape: Shape, *, proxied: bool = False
    ) -> Measured:
        """Load it once; `cpu` is of the measured stretch alone."""
        addresses = [address_of(self.cluster.url, verifies=False)] if proxied else self.gateways
        api = addresses[0] if proxied else self.api
        people = People(shape.connections, shape.rooms)

        def sign(user: str, organization: str, role: str) -> str:
            return self.cluster.token(user, organization=organization, role=role)

        dialect, seats = make_world(addresses[0], sign, people, api)
        plan = Plan(
            name, shape, addresses[0], dialect, seats, api=api, addresses=tuple(addresses[1:])
        )
        marks: list[dict[str, float]] = []
        run = _Marked(
            plan,
            scenario,
            processes=len(addresses),
            pids=self.parts["gateway"],
            on_mark=marks.append,
        )
        run.cpu = self.cpu
        repetition = run().repetitions[0]
        seconds = repetition.seconds
        cpu = {
            part: marks[1][part] - marks[0][part] - self.resting[part] * seconds
            for part in self.parts
        }
        for warning in run.result.warnings():
            print(f"    ! {warning}")
        return Measured(repetition, cpu)


class _Marked(Run):
    """Reads every part when measuring begins and ends."""

    cpu: Callable[[], dict[str, float]]

    def __init__(self, *arguments: Any, on_mark: Callable[..., None], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._on_mark = on_mark

    def _await(self, kind: str) -> list[Any]:
        said = super()._await(kind)
        if kind in ("begin", "measured") and said:
            self._on_mark(self.cpu())
        return said


def measure(cluster: Cluster, much: Size) -> Costs:
    bench = Bench(cluster, resting_seconds=much.idle_seconds / 3)
    plain = Shape(repetitions=1, warm_up_seconds=2, settle_seconds=1)

    def shape(**more: float) -> Shape:
        return Shape(**(asdict(plain) | more))

    base_mb = _memory_mb(bench) / len(bench.gateways)
    connect = bench.run(
        "connect",
        _Staying(),
        shape(
            connections=much.connections,
            rooms=much.connections // 10,
            settle_seconds=much.idle_seconds,
        ),
    )
    kb, idle = _Staying.read(bench, connect, much.idle_seconds)
    small = bench.run(
        "latency",
        Latency(),
        shape(connections=ROOMS * SMALL, rooms=ROOMS, per_second=MESSAGES, seconds=much.seconds),
    )
    large = bench.run(
        "latency",
        Latency(),
        shape(connections=ROOMS * LARGE, rooms=ROOMS, per_second=MESSAGES, seconds=much.seconds),
    )
    inbound = bench.run(
        "inbound",
        Inbound(),
        shape(connections=500, rooms=50, per_second=2000, seconds=much.seconds / 2),
    )
    wal_before = _wal_bytes(cluster)
    wal = bench.run(
        "latency",
        Latency(),
        shape(connections=40, rooms=20, per_second=MESSAGES, seconds=much.seconds / 2),
    )
    wal_bytes = (_wal_bytes(cluster) - wal_before) / (MESSAGES * (2 + much.seconds / 2))
    proxied_connect = bench.run(
        "connect", Connect(), shape(connections=much.proxied, rooms=20), proxied=True
    )
    proxied = bench.run(
        "latency",
        Latency(),
        shape(connections=much.proxied, rooms=20, per_second=30, seconds=much.seconds / 2),
        proxied=True,
    )

    def us(of: Measured, part: str, count: float) -> float:
        return max(0.0, of.cpu[part]) * 1e6 / count

    messages = small.repetition.sum_known("published")
    frames = [_frames(each.repetition) for each in (small, large)]
    delivery = (large.cpu["gateway"] - small.cpu["gateway"]) * 1e6 / (frames[1] - frames[0])
    # Two viewers are on one pod or on two: 1.5 pods have members of a room of two.
    message = (small.cpu["gateway"] * 1e6 - frames[0] * delivery) / messages / 1.5
    connected = connect.repetition.operations
    return Costs(
        measured_on=f"{time.strftime('%Y-%m-%d')}, {_machine()}",
        gateway_connect_us=us(connect, "gateway", connected),
        gateway_idle_us_per_connection_second=idle,
        gateway_message_us=message,
        gateway_delivery_us=delivery,
        gateway_event_us=us(inbound, "gateway", inbound.repetition.operations),
        gateway_base_mb=base_mb,
        gateway_kb_per_connection=kb,
        api_message_us=us(small, "api", messages),
        relay_message_us=us(small, "relay", messages),
        redis_message_us=us(small, "redis", messages),
        redis_connect_us=us(connect, "redis", connected),
        postgres_message_us=us(wal, "postgres", wal.repetition.sum_known("published")),
        postgres_wal_bytes_per_message=wal_bytes,
        nginx_connect_us=us(proxied_connect, "nginx", proxied_connect.repetition.operations),
        nginx_frame_us=us(
            proxied,
            "nginx",
            _frames(proxied.repetition) + proxied.repetition.sum_known("published"),
        ),
        nginx_kb_per_connection=grown_kb(proxied_connect.repetition),
        message_bytes=large.repetition.counts["delivered_bytes"]
        / large.repetition.counts["deliveries"],
        list_bytes=_list_bytes(large.repetition),
    )


class _Staying(Connect):
    """Connects, and stays to be looked at while nothing happens."""

    cores: dict[str, float]

    @staticmethod
    def read(bench: Bench, connect: Measured, seconds: float) -> tuple[float, float]:
        """Return kilobytes and idle microseconds a second of each connection."""
        repetition = connect.repetition
        spent = sum(
            repetition.server_rested[pid].cpu_seconds - repetition.server_after[pid].cpu_seconds
            for pid in bench.parts["gateway"]
        )
        idle = spent / seconds - bench.resting["gateway"]
        return grown_kb(repetition), max(0.0, idle) * 1e6 / repetition.ready


def grown_kb(repetition: Repetition) -> float:
    """Memory of the watched processes, for each connection that they hold."""
    rested, before = repetition.server_rested, repetition.server_before
    return sum(rested[pid].memory_kb - before[pid].memory_kb for pid in before) / repetition.ready


def _frames(repetition: Repetition) -> int:
    return repetition.counts["deliveries"] + repetition.counts["others"]


def _list_bytes(repetition: Repetition) -> float:
    counts = repetition.counts
    rest = counts["received_bytes"] - counts["delivered_bytes"]
    return rest / counts["others"] if counts["others"] else 0.0


def _memory_mb(bench: Bench) -> float:
    return sum(use.memory_kb for use in uses_of(bench.parts["gateway"]).values()) / 1024


def _wal_bytes(cluster: Cluster) -> int:
    statement = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
    return int(cluster.postgres.execute(statement))


def _machine() -> str:
    import os

    return (
        f"{len(os.sched_getaffinity(0))} cores of {platform.machine()}, Linux {platform.release()}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="write nothing")
    parser.add_argument("--quick", action="store_true", help="see that it works; writes nothing")
    parser.add_argument("--short", action="store_true", help="a minute and a half, less exact")
    asked = parser.parse_args()
    much = QUICK if asked.quick else SHORT if asked.short else Size()
    with Cluster() as cluster:
        found = measure(cluster, much)
    for name, value in asdict(found).items():
        print(f"{name:40} {value if isinstance(value, str) else f'{value:.1f}'}")
    if not (asked.dry or asked.quick):
        costs.write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
