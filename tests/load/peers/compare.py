"""The same load against `pytake.transport` and its peers, in turns, and the ratios between them.

    make compare                                    # the table of docs/performance.md
    python tests/load/peers/compare.py --list
    python tests/load/peers/compare.py --tests room1000,event --servers pytake,node --repetitions 1

Each figure comes from a server that was started for it, on a core of its own; the load runs on
another. Within a repetition the servers take turns, and ratios are made from figures of one
repetition, so that a machine that is slower today is slower for all. Trust processor time per
operation, and ratios; rates and latencies of a shared machine are its neighbours', too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cluster.programs import Program, free_port, is_listening, temporary_folder
from cluster.redis_server import RedisServer
from pytake.bench.dialect import Peer, Room, Seat
from pytake.bench.load import Scenario
from pytake.bench.plan import Plan, Shape
from pytake.bench.result import Repetition, Result
from pytake.bench.run import Run
from pytake.bench.scenarios import Connect, Disconnect, Fanout, Inbound, Latency
from pytake.bench.server_figures import uses_of, with_children
from pytake.bench.swarm import Address

HERE = Path(__file__).resolve().parent
SECRET = "bench-secret-bench-secret-bench-secret"
ROOM = "7f22a9c1-0000-4000-8000-{:012d}"
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = (CORES[0], CORES[1]) if len(CORES) > 1 else (None, None)
IDLE_CONNECTIONS = 20


@dataclass(frozen=True)
class Server:
    """How one of them is started; {port} is filled in."""

    command: list[str | Path]
    env: Mapping[str, str] = field(default_factory=dict)
    compressing: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_redis(self) -> bool:
        return "MANAGER" in self.env or "ADAPTER" in self.env


def _uvicorn(deflate: str) -> list[str | Path]:
    return [
        sys.executable, "-m", "uvicorn", "stock_peer:app", "--port", "{port}", "--loop", "uvloop",
        "--http", "httptools", "--ws", "websockets-sansio", "--ws-per-message-deflate", deflate,
        "--log-level", "warning", "--no-access-log", "--backlog", "4096",
    ]  # fmt: skip


_OURS: list[str | Path] = [sys.executable, HERE / "transport_peer.py", "{port}"]
_NODE: list[str | Path] = ["node", HERE / "node" / "server.cjs"]

SERVERS = {
    "floor": Server([sys.executable, HERE / "floor_peer.py"]),
    "pytake": Server(_OURS, compressing={"THRESHOLD": "1"}),
    "node": Server(_NODE, compressing={"DEFLATE": "1"}),
    "stock": Server(_uvicorn("false"), compressing={"DEFLATE": "1"}),
    "pytake-redis": Server(_OURS, {"MANAGER": "redis"}),
    "node-redis": Server(_NODE, {"ADAPTER": "redis"}),
    "node-sharded": Server(_NODE, {"ADAPTER": "sharded"}),
    "stock-redis": Server(_uvicorn("false"), {"MANAGER": "redis"}),
    # The whole product, and Node on uWebSockets.js, which is not on npm: UWS_MODULE names a build.
    "gateway": Server([sys.executable, HERE / "gateway_peer.py", "{port}"], {"MANAGER": "redis"}),
    "uws": Server(_NODE, {"ENGINE": "uws"}),
}


@dataclass(frozen=True)
class Test:
    """One row of the table."""

    scenario: type[Any]
    shape: Shape
    figure: str
    title: str
    compresses: bool = False
    divided_by: str = ""
    question: str = '427["ping",{}]'


def _shape(connections: int, **more: Any) -> Shape:
    plain = {"rooms": 1, "repetitions": 1, "warm_up_seconds": 1.0, "seconds": 5.0}
    return Shape(connections=connections, **(plain | more))


CPU = "server_us_per_op"
TESTS = {
    "room1000": Test(Fanout, _shape(1000), CPU, "room of 1,000, µs a delivery"),
    "room5000": Test(Fanout, _shape(5000, warm_up_seconds=2), CPU, "room of 5,000, µs a delivery"),
    "room10w2": Test(
        Fanout, _shape(10), "server_us_per_message", "room of 10, 2 under way, µs a message"
    ),
    "room10w16": Test(
        Fanout,
        _shape(10, window=16),
        "server_us_per_message",
        "room of 10, 16 under way, µs a message",
    ),
    "room1000z": Test(
        Fanout, _shape(1000), CPU, "room of 1,000, compressed, µs a delivery", compresses=True
    ),
    "steady500": Test(
        Latency, _shape(500, per_second=20, seconds=6), "p99_ms", "20/s to 500, p99 ms"
    ),
    "event": Test(
        Inbound, _shape(100, asks_on_answer=True, seconds=4), CPU, "event with answer, µs"
    ),
    "connect5000": Test(Connect, _shape(5000, settle_seconds=2), CPU, "connect and join, µs"),
    "memory5000": Test(
        Connect, _shape(5000, settle_seconds=2), "server_kb_per_connection", "idle connection, KB"
    ),
    "disconnect5000": Test(
        Disconnect, _shape(5000), "disconnect_us", "5,000 gone at once, µs each"
    ),
    "uninterested": Test(
        Latency,
        _shape(10, per_second=300, seconds=6),
        "other_pod_us_per_message",
        "pod without members, µs a message (Redis)",
    ),
}
DEFAULT_TESTS = "room1000,room5000,room10w2,room10w16,steady500,event,connect5000,memory5000"
# One run answers both.
_SAME_RUN = {"memory5000": "connect5000"}


@contextmanager
def running(name: str, redis: RedisServer | None, compresses: bool) -> Iterator[tuple[int, int]]:
    """Start a server; give its port and the process that serves."""
    server, port = SERVERS[name], free_port()
    env = {**os.environ, "SECRET": SECRET, "PORT": str(port), **server.env}
    command = list(server.command)
    if compresses:
        env |= server.compressing
        if name.startswith("stock"):
            command = _uvicorn("true")
    if redis is not None:
        env["REDIS_URL"] = redis.url
    command = [str(part).replace("{port}", str(port)) for part in command]
    if SERVER_CORE is not None:
        command = ["taskset", "-c", str(SERVER_CORE), *command]
    log = temporary_folder("peer") / "log"
    program = Program(name, command, log, env=env, folder=HERE)
    program.is_serving = lambda: is_listening(port)  # type: ignore[method-assign]
    program.start()
    try:
        program.wait_until_serving()
        time.sleep(0.5)  # what a server does right after its start is not what is asked
        yield port, with_children(program.pid)[-1]
    finally:
        program.stop()


def plan_of(test: Test, name: str, port: int, room: str = ROOM.format(1)) -> Plan:
    rooms = [Room(room)]
    address = Address("127.0.0.1", port, "127.0.0.1", compresses=test.compresses)
    # Each a token of its own, which a server has not just seen.
    seats = [
        Seat(token, 0, "40" + json.dumps({"token": token}), Peer.joins_with(rooms[0]))
        for token in map(token_of, range(test.shape.connections))
    ]
    peer = Peer(rooms, question=test.question)
    return Plan(name, test.shape, address, peer, seats, cpu=LOAD_CORE, engine="c")


def token_of(connection: int) -> str:
    """Return the token of a connection; a user has three, as the cap of the product allows."""
    claims = {
        "sub": f"6ae9ebac-0000-4000-8000-{connection // 3:012d}",
        "jti": str(connection),
        "organization_id": "0a0a0a0a-0000-4000-8000-000000000001",
        "role": "agent",
        "exp": int(time.time()) + 86400,
    }
    return jwt.encode(claims, SECRET)


def run_once(test_name: str, server: str, redis: RedisServer | None) -> dict[str, float]:
    """Return the figures of one test against one fresh server."""
    test = TESTS[test_name]
    if test_name == "uninterested":
        return _run_beside_an_uninterested_pod(test, server, redis)
    with running(server, redis, test.compresses) as (port, pid):
        scenario: Scenario = test.scenario()
        name = "connect" if test.scenario is Connect else test_name
        run = Run(plan_of(test, name, port), scenario, pids=[pid])
        result = run()
    repetition = result.repetitions[0]
    return _figures(repetition, result)


def _figures(repetition: Repetition, result: Result) -> dict[str, float]:
    figures = {name: value for name, value in repetition.figures().items() if value is not None}
    if left := repetition.sum_known("left"):
        spent = sum(map(repetition.server_cpu, repetition.server_before))
        figures["disconnect_us"] = spent * 1e6 / left
    if warnings := [w for w in result.warnings() if "core" not in w and "costs more" not in w]:
        print(f"    {'; '.join(warnings)}", flush=True)
    return figures


def _run_beside_an_uninterested_pod(
    test: Test, server: str, redis: RedisServer | None
) -> dict[str, float]:
    """Publish in a room of ten while another pod of the same Redis has nobody in it."""
    if redis is None:
        raise SystemExit("uninterested: only servers with Redis have other pods")
    with running(server, redis, False) as (port, pid), running(server, redis, False) as other:
        idle = Test(Connect, _shape(IDLE_CONNECTIONS, settle_seconds=10), "", "")
        elsewhere = plan_of(idle, "idle", other[0], ROOM.format(2))
        scenario = _Sitting()
        from threading import Thread

        sitting = Run(elsewhere, scenario)
        thread = Thread(target=sitting)
        thread.start()
        time.sleep(2)
        before = uses_of([other[1]])[other[1]].cpu_seconds
        result = Run(plan_of(test, "uninterested", port), test.scenario(), pids=[pid])()
        spent = uses_of([other[1]])[other[1]].cpu_seconds - before
        sitting.stop()
        thread.join()
    repetition = result.repetitions[0]
    seconds = test.shape.warm_up_seconds + repetition.seconds
    published = test.shape.per_second * seconds
    return _figures(repetition, result) | {"other_pod_us_per_message": spent * 1e6 / published}


class _Sitting(Connect):
    """Connected, and that is all."""

    def prepare(self, load: Any) -> None:
        load.open_all()

    def measure(self, load: Any) -> dict[str, Any]:
        load.pass_time(60)
        return {}


Figures = dict[tuple[str, str], list[dict[str, float]]]


def measure(
    tests: list[str], servers: list[str], repetitions: int, out: Path | None, within: float
) -> Figures:
    found: Figures = {}
    deadline = time.monotonic() + within if within else math.inf
    with _redis(servers) as redis:
        for repetition in range(repetitions):
            for test in tests:
                if _SAME_RUN.get(test) in tests:
                    continue
                if time.monotonic() > deadline:
                    return found
                for server in servers:
                    if test == "uninterested" and not SERVERS[server].needs_redis:
                        continue
                    if TESTS[test].compresses and not SERVERS[server].compressing:
                        continue
                    if not SERVERS[server].needs_redis:
                        figures = run_once(test, server, None)
                    else:
                        figures = run_once(test, server, redis)
                    same = [test, *(t for t, run in _SAME_RUN.items() if run == test)]
                    for each in (t for t in same if t in tests):
                        found.setdefault((each, server), []).append(figures)
                    print(f"  {test:14} {server:13} #{repetition + 1} {_brief(test, figures)}")
                    if out is not None:
                        line = {"test": test, "server": server, **figures}
                        with out.open("a") as file:
                            file.write(json.dumps(line) + "\n")
    return found


def kept(path: Path) -> Figures:
    """Read what `--out` wrote, one or several runs."""
    found: Figures = {}
    for line in path.read_text().splitlines():
        figures = json.loads(line)
        test, server = figures.pop("test"), figures.pop("server")
        for each in (test, *(t for t, run in _SAME_RUN.items() if run == test)):
            found.setdefault((each, server), []).append(figures)
    return found


def _brief(test: str, figures: dict[str, float]) -> str:
    names = dict.fromkeys([TESTS[test].figure, "per_second", "p50_ms", "p99_ms", "generator_core"])
    return "  ".join(f"{name} {figures[name]:.4g}" for name in names if name in figures)


@contextmanager
def _redis(servers: list[str]) -> Iterator[RedisServer | None]:
    if not any(SERVERS[name].needs_redis for name in servers):
        yield None
        return
    redis = RedisServer(temporary_folder("compare"))
    redis.start()
    redis.wait_until_serving()
    if LOAD_CORE is not None:
        os.sched_setaffinity(redis.pid, {LOAD_CORE})
    try:
        yield redis
    finally:
        redis.stop()


def table(found: Figures, tests: list[str], servers: list[str]) -> str:
    """Medians with their range, then ratios to ours, pair by pair, as Markdown."""
    lines = ["| | " + " | ".join(servers) + " |", "|---|" + "---|" * len(servers)]
    for test in tests:
        cells = []
        for server in servers:
            values = [f[TESTS[test].figure] for f in found.get((test, server), [])]
            cells.append(_cell(values))
        lines.append(f"| {TESTS[test].title} | " + " | ".join(cells) + " |")
    ours = [name for name in servers if name.startswith("pytake")]
    for own in ours:
        others = [name for name in servers if not name.startswith("pytake")]
        lines += ["", f"Times as much as {own}, pair by pair (below 1: less):", ""]
        lines += ["| | " + " | ".join(others) + " |", "|---|" + "---|" * len(others)]
        for test in tests:
            cells = []
            for other in others:
                pairs = zip(found.get((test, other), []), found.get((test, own), []), strict=False)
                figure = TESTS[test].figure
                cells.append(_cell([a[figure] / b[figure] for a, b in pairs if b[figure]], "×"))
            lines.append(f"| {TESTS[test].title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: list[float], unit: str = "") -> str:
    if not values:
        return ""
    middle = statistics.median(values)
    text = f"{middle:.3g} {unit}".strip()
    if len(values) > 1:
        text += f" ({min(values):.3g}–{max(values):.3g})"
    return text


def versions() -> str:
    """What was compared, on what."""
    from importlib.metadata import version
    from subprocess import run

    node = run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    lock = json.loads((HERE / "node" / "package-lock.json").read_text())["packages"]
    modules = ", ".join(
        f"{name} {lock['node_modules/' + name]['version']}"
        for name in ("socket.io", "ws", "@socket.io/redis-adapter", "redis")
    )
    packages = ", ".join(
        f"{name} {version(name)}"
        for name in ("uvloop", "python-socketio", "python-engineio", "uvicorn", "websockets")
    )
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return (
        f"Python {platform.python_version()}, {packages}; Node {node.lstrip('v')}, {modules}; "
        f"Linux {platform.release()}, {len(CORES)} × {model}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", default=DEFAULT_TESTS)
    parser.add_argument("--servers", default="floor,pytake,node,stock")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--out", type=Path, help="append each run's figures as a line of JSON")
    parser.add_argument("--within", type=float, default=0, help="seconds to begin tests in")
    parser.add_argument("--read", type=Path, help="print the table of what --out kept; run nothing")
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    if asked.list:
        print("servers:", *SERVERS, "\ntests:  ", *TESTS)
        return 0
    tests, servers = asked.tests.split(","), asked.servers.split(",")
    if asked.read:
        print(table(kept(asked.read), tests, servers))
        return 0
    if unknown := (set(tests) - set(TESTS)) | (set(servers) - set(SERVERS)):
        parser.error(f"unknown: {', '.join(sorted(unknown))} (see --list)")
    print(versions(), flush=True)
    found = measure(tests, servers, asked.repetitions, asked.out, asked.within)
    print("\n" + table(found, tests, servers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
