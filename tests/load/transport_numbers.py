"""The numbers that the transport promises, beside its peers in the same minutes.

    make transport-numbers
    python tests/load/transport_numbers.py --rows room1000,event --repetitions 1
    UWS_MODULE=/path/to/uWebSockets.js make transport-numbers

Servers take turns within a repetition, each started anew on a core of its own. What is judged
are ratios between figures of one repetition; of several, the median counts. An absolute figure
is judged as it would be where a peer costs what it cost on the machine for which the figure was
set: processors differ by more than servers do. Exits 1 when a
promise is not kept. It wants a quiet machine, and takes half an hour with three repetitions.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.postgres_server import PostgresServer
from cluster.programs import free_port, temporary_folder
from cluster.redis_server import RedisServer
from load.peers import compare
from load.peers.compare import ROOM, Server, Test, plan_of, running
from pytake.bench.load import Load
from pytake.bench.plan import Shape
from pytake.bench.run import Run
from pytake.bench.scenarios import Connect, Disconnect, Fanout, Inbound, Latency
from pytake.bench.server_figures import use_of
from pytake.store import migrate

_ITEM = f'{{"conversation_id":"{ROOM.format(1)}","seq":1}}'
RECEIPT = f'427["message:receipt",{{"items":[{_ITEM}],"t":1.5}}]'
STALLED, READERS = 20, 100
CPU, PER_MESSAGE = "server_us_per_op", "server_us_per_message"
MEMORY = "server_kb_per_connection"

Figures = dict[str, float]
Measure = Callable[[str, "World"], Figures]


@dataclass(frozen=True)
class Promise:
    """Judges one server's figure, by itself or beside another's of the same repetition."""

    text: str
    limit: float
    of: str = "pytake"
    beside: str = ""
    figure: str = ""
    reference: tuple[str, float] | None = None
    """Judged as it would be where this server costs so much; None: as it is."""
    at_least: bool = False


def absolute(limit: float, peer: str, costs: float, of: str = "pytake") -> Promise:
    """Return the promise of so many µs on the machine where this peer costs so many."""
    name = {"floor": "the floor", "node": "Node"}[peer]
    text = f"≤ {limit:,} µs where {name} costs {costs}"
    return Promise(text, limit, of, reference=(peer, costs))


@dataclass(frozen=True)
class Row:
    """One line of the table: who runs, what is read, and what was promised."""

    name: str
    title: str
    figure: str
    servers: tuple[str, ...]
    measure: Measure
    promises: tuple[Promise, ...]
    unit: str = "µs"


@dataclass
class World:
    """What servers share: a Redis, and a PostgreSQL for the row that wants one."""

    redis: RedisServer
    _postgres: PostgresServer | None = None
    database: str = ""
    room: str = ROOM.format(1)

    def open_postgres(self) -> None:
        """Start it once, with the schema and a conversation to join."""
        if self._postgres is not None:
            return
        self._postgres = PostgresServer(temporary_folder("numbers"))
        self._postgres.start()
        self._postgres.wait_until_serving()
        name = self._postgres.create_database()
        self.database = self._postgres.database_url(name, driver="postgresql+asyncpg")
        self.room = _make_conversation(self.database)

    def stop(self) -> None:
        if self._postgres is not None:
            self._postgres.stop()


def _make_conversation(database: str) -> str:
    import asyncio
    from datetime import UTC, datetime

    from load.peers.gateway_peer import ORGANIZATION
    from pytake.domain.ids import UserId
    from pytake.domain.principal import Principal, Role
    from pytake.store import open_store

    async def make() -> str:
        await migrate(database)
        now = datetime.now(UTC)
        async with open_store(database) as store:
            admin = UserId("6ae9ebac-0000-4000-8000-000000999999")
            await store.users.ensure_principal(Principal(admin, ORGANIZATION, Role.ADMIN, now))
            committed = await store.conversations.open_conversation(
                ORGANIZATION,
                contact_name="Clara",
                phone="+5511900000001",
                channel_id=None,
                window_expires_at=None,
                now=now,
            )
            return str(committed.conversation.id)

    return asyncio.run(make())


# --- measuring ----------------------------------------------------------------------------------


def _shape(connections: int, **more: Any) -> Shape:
    plain = {"rooms": 1, "repetitions": 1, "warm_up_seconds": 1.0, "seconds": 4.0}
    return Shape(connections=connections, **(plain | more))


def under(
    scenario: type[Any], question: str = "", *, compresses: bool = False, **shape: Any
) -> Measure:
    """Return what measures this load against one fresh server."""

    def measure(server: str, world: World) -> Figures:
        asked = question if server.startswith("gateway") and question else '427["ping",{}]'
        test = Test(scenario, _shape(**shape), "", "", compresses, question=asked)
        with _serving(server, world, compresses) as (port, pid):
            return _run(test, port, pid, world.room if server == "gateway-postgres" else None)

    return measure


def _run(test: Test, port: int, pid: int, room: str | None = None) -> Figures:
    name = "connect" if test.scenario is Connect else "numbers"
    plan = plan_of(test, name, port, *([room] if room else []))
    result = Run(plan, test.scenario(), pids=[pid])()
    figures: Figures = compare._figures(result.repetitions[0], result)
    return figures


@contextmanager
def _serving(
    server: str, world: World, compresses: bool = False, **env: str
) -> Iterator[tuple[int, int]]:
    if server == "gateway-postgres":
        world.open_postgres()
        env["DATABASE_URL"] = world.database
    known = compare.SERVERS["gateway" if server.startswith("gateway") else server]
    compare.SERVERS["measured"] = Server(known.command, {**known.env, **env}, known.compressing)
    with running("measured", world.redis if known.needs_redis else None, compresses) as found:
        yield found


def uninterested(server: str, world: World) -> Figures:
    """What a pod without members pays for messages to a room on another one, above idle."""
    seconds, rate = 8.0, 300.0
    with _serving(server, world) as (port, _), _serving(server, world) as (other_port, other):
        idle = Test(Connect, _shape(20), "", "")
        sitting = Run(plan_of(idle, "idle", other_port, ROOM.format(2)), compare._Sitting())
        thread = threading.Thread(target=sitting)
        thread.start()
        test = Test(Latency, _shape(10, per_second=rate, seconds=seconds), "", "")
        busy = Run(plan_of(test, "numbers", port), test.scenario())
        time.sleep(3)
        start = use_of(other).cpu_seconds
        time.sleep(seconds)
        at_rest = (use_of(other).cpu_seconds - start) / seconds
        start, began = use_of(other).cpu_seconds, time.monotonic()
        result = busy()
        spent = use_of(other).cpu_seconds - start - at_rest * (time.monotonic() - began)
        sitting.stop()
        thread.join()
    messages = result.repetitions[0].sum_known("published") + rate * test.shape.warm_up_seconds
    return {"above_idle_us": spent * 1e6 / messages, "idle_ms_per_s": at_rest * 1000}


class Stalled(Latency):
    """Some of the members stop reading after the warm-up."""

    stalled = STALLED

    def prepare(self, load: Load) -> None:
        super().prepare(load)
        for number in range(len(load.plan.seats) - self.stalled, len(load.plan.seats)):
            load.swarm.stall(number)

    def measure(self, load: Load) -> dict[str, Any]:
        lost = load.swarm.count("lost")
        known = super().measure(load)
        return {"published": known["published"], "gone": load.swarm.count("lost") - lost}


class NobodyStalls(Stalled):
    stalled = 0


def stalled(server: str, world: World) -> Figures:
    """20 broadcasts of 30 KB a second to 100 readers, with and without 20 that stop reading."""
    found: Figures = {}
    for scenario in (NobodyStalls, Stalled):
        shape = _shape(READERS, per_second=20, content_bytes=30_000, seconds=15)
        test = Test(scenario, shape, "", "")
        port = free_port()
        with _serving(server, world, METRICS_PORT=str(port)) as (public, pid):
            run = Run(plan_of(test, "numbers", public), scenario(), pids=[pid])
            result = run()
            counted = _closed_as_slow(port) if server == "gateway" else 0.0
        repetition = result.repetitions[0]
        grown = sum(
            repetition.server_after[each].memory_kb - use.memory_kb
            for each, use in repetition.server_before.items()
        )
        kind = "with" if scenario is Stalled else "without"
        p99 = repetition.figures()["p99_ms"]
        found |= {f"p99_{kind}": p99 or 0.0, f"grown_mb_{kind}": grown / 1024}
        if scenario is Stalled:
            found |= {"closed": counted, "p99_change": found["p99_with"] - found["p99_without"]}
            found["noticed"] = repetition.sum_known("gone")
    found["growth_mb"] = found["grown_mb_with"] - found["grown_mb_without"]
    return found


def _closed_as_slow(metrics_port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics") as answer:
        text = answer.read().decode()
    pattern = r'^pytake_connections_closed_total\{[^}]*reason="slow_consumer"[^}]*\} (\S+)$'
    return sum(float(value) for value in re.findall(pattern, text, re.MULTILINE))


def pauses(server: str, world: World) -> Figures:
    """The longest stop by the collector while 5,000 clients connect, sit and are served."""
    log = temporary_folder("pauses") / "pauses"
    test = Test(Fanout, _shape(5000, seconds=8), "", "", compresses=True)
    with _serving(server, world, PAUSES=str(log)) as (port, pid):
        # The first one, before anybody is let in, looks at all that was loaded.
        at_start = log.stat().st_size
        figures = _run(test, port, pid)
    longest = max(map(float, log.read_bytes()[at_start:].split()))
    return figures | {"longest_ms": longest * 1000}


# --- the table ----------------------------------------------------------------------------------


def _rooms(name: str, connections: int, floor: float, ours: float, to_floor: float) -> Row:
    promises = [
        Promise(f"≤ {to_floor} × floor", to_floor, beside="floor"),
        Promise("≥ 1.6 × Node", 1.6, beside="node", at_least=True),
        absolute(ours, "floor", floor),
    ]
    if connections == 1000:
        promises.append(Promise("≥ 0.75 × uWS", 0.75, beside="uws", at_least=True))
    return Row(
        name,
        f"delivery, room of {connections:,}",
        CPU,
        ("floor", "pytake", "node", "uws", "gateway"),
        under(Fanout, connections=connections),
        tuple(promises),
    )


ROWS = {
    row.name: row
    for row in (
        _rooms("room1000", 1000, 3.0, 4.0, 1.35),
        _rooms("room5000", 5000, 4.0, 6.0, 1.4),
        *(
            Row(
                f"room10w{window}",
                f"broadcast to 10, {window} under way",
                PER_MESSAGE,
                ("floor", "pytake", "node", "uws", "gateway"),
                under(Fanout, connections=10, window=window, seconds=3),
                (absolute(most, "floor", floor),),
            )
            for window, most, floor in ((2, 65, 47), (16, 45, 47))
        ),
        Row(
            "event",
            "event with acknowledgement: product validates, limits, counts; others bare",
            CPU,
            ("floor", "pytake", "node", "uws", "gateway"),
            under(Inbound, RECEIPT, connections=100, asks_on_answer=True),
            (absolute(20, "node", 17.2, of="gateway"),),
        ),
        Row(
            "connect",
            "connect: JWT, cap in Redis, join; permission from memory; deflate",
            CPU,
            ("floor", "pytake", "node", "gateway"),
            under(Connect, connections=5000, settle_seconds=2, compresses=True),
            (
                absolute(900, "floor", 170, of="gateway"),
                Promise("≤ 10 KB a connection", 10, of="gateway", figure=MEMORY),
            ),
        ),
        Row(
            "storm",
            "the same with PostgreSQL, 2,000 at once",
            CPU,
            ("floor", "gateway-postgres"),
            under(Connect, connections=2000, connecting_at_once=2000, compresses=True),
            (absolute(1300, "floor", 170, of="gateway-postgres"),),
        ),
        Row(
            "steady500",
            "20 broadcasts/s to 500, p99",
            "p99_ms",
            ("floor", "pytake", "node", "uws", "gateway"),
            under(Latency, connections=500, per_second=20, seconds=6),
            (Promise("≤ Node's", 1.0, beside="node"),),
            "ms",
        ),
        Row(
            "uninterested",
            "message to a room that a pod has no member of, above idle",
            "above_idle_us",
            ("pytake-redis", "node-redis", "stock-redis"),
            uninterested,
            (Promise("≤ 1 µs", 1.0, of="pytake-redis"),),
        ),
        Row(
            "disconnect",
            "5,000 gone at once, each",
            "disconnect_us",
            ("pytake", "node", "gateway"),
            under(Disconnect, connections=5000),
            (Promise("≤ 100 µs", 100, of="gateway"),),
        ),
        Row(
            "stalled",
            f"{STALLED} of {READERS} readers stall: memory",
            "growth_mb",
            ("gateway",),
            stalled,
            (
                Promise(f"{STALLED} closed and counted", STALLED, of="gateway", figure="closed",
                        at_least=True),
                Promise("memory grows ≤ 10 MB more than without", 10, of="gateway"),
                Promise("p99 of the others ≤ 5 ms above that without", 5, of="gateway",
                        figure="p99_change"),
            ),
            "MB",
        ),
        Row(
            "pauses",
            "longest collection pause at 5,000 connections",
            "longest_ms",
            ("gateway",),
            pauses,
            (Promise("≤ 20 ms", 20, of="gateway"),),
            "ms",
        ),
    )
}  # fmt: skip

Found = dict[str, list[dict[str, Figures]]]


def measure_all(rows: list[Row], repetitions: int) -> Found:
    """Return the figures of each repetition of each row, by server."""
    redis = RedisServer(temporary_folder("numbers"))
    redis.start()
    redis.wait_until_serving()
    if compare.LOAD_CORE is not None:
        os.sched_setaffinity(redis.pid, {compare.LOAD_CORE})
    world = World(redis)
    found: Found = {row.name: [] for row in rows}
    try:
        for number in range(repetitions):
            for row in rows:
                figures = {}
                for server in row.servers:
                    if server == "uws" and "UWS_MODULE" not in os.environ:
                        continue
                    figures[server] = row.measure(server, world)
                    shown = "  ".join(f"{k} {v:.4g}" for k, v in figures[server].items())
                    print(f"  #{number + 1} {row.name} {server}: {shown}", flush=True)
                found[row.name].append(figures)
    finally:
        world.stop()
        redis.stop()
    return found


def verdict(row: Row, promise: Promise, repetitions: list[dict[str, Figures]]) -> float | None:
    """Return what is judged: the median over the repetitions, None where a peer is missing."""
    figure, values = promise.figure or row.figure, []
    for figures in repetitions:
        own = figures[promise.of][figure]
        if promise.beside:
            if promise.beside not in figures:
                return None
            other = figures[promise.beside][figure]
            values.append(other / own if promise.at_least else own / other)
        elif promise.reference:
            peer, costs = promise.reference
            values.append(own * costs / figures[peer][figure])
        else:
            values.append(own)
    return statistics.median(values)


def report(rows: list[Row], found: Found) -> bool:
    """Print the table; False if a promise is not kept."""
    servers = list(dict.fromkeys(server for row in rows for server in row.servers))
    print("\n| | " + " | ".join(servers) + " | promised | |")
    print("|---" * (len(servers) + 3) + "|")
    kept_all = True
    for row in rows:
        cells = []
        for server in servers:
            values = [f[server][row.figure] for f in found[row.name] if server in f]
            cells.append(compare._cell(values))
        texts, marks = [], []
        for promise in row.promises:
            value = verdict(row, promise, found[row.name])
            if value is None:
                texts.append(promise.text)
                marks.append("not measured")
                continue
            kept = value >= promise.limit if promise.at_least else value <= promise.limit
            kept_all &= kept
            texts.append(promise.text)
            marks.append(f"{value:.3g} {'✓' if kept else '**missed**'}")
        cells += ["; ".join(texts), "; ".join(marks)]
        print(f"| {row.title}, {row.unit} | " + " | ".join(cells) + " |")
    return kept_all


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--repetitions", type=int, default=3)
    asked = parser.parse_args()
    if unknown := set(asked.rows.split(",")) - set(ROWS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    rows = [ROWS[name] for name in asked.rows.split(",")]
    print(compare.versions(), flush=True)
    return 0 if report(rows, measure_all(rows, asked.repetitions)) else 1


if __name__ == "__main__":
    sys.exit(main())
