"""What a scenario works with inside a load process, and the process itself.

The process talks with the one that started it over a pipe: it says when it is about to measure
and waits for the word, so that processor times are read at the same moment everywhere. While it
waits, its clients go on answering pings.
"""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol

from pytake.bench.dialect import Peer
from pytake.bench.histogram import Histogram
from pytake.bench.native import CannotBuild, NativeSwarm, build
from pytake.bench.plain import PlainSwarm
from pytake.bench.plan import Plan
from pytake.bench.swarm import State, Swarm, Timing

TICK_SECONDS = 1.0
GIVE_UP_SECONDS = 20.0


class CannotConnect(Exception):
    """Nothing could be measured; the text is for the one who started the load."""


class Scenario(Protocol):
    """One way to load a server."""

    timing: Timing

    def prepare(self, load: "Load") -> None:
        """Bring the load to where measuring begins, warm-up included."""

    def measure(self, load: "Load") -> dict[str, Any]:
        """Do it once; return what only this scenario knows."""

    def settle(self, load: "Load") -> None:
        """Come to rest, and make ready for the next repetition."""


class Load:
    """Connections, a clock, and the one who waits for figures."""

    def __init__(self, plan: Plan, swarm: Swarm, pipe: Connection, timing: Timing) -> None:
        self.plan = plan
        self.shape = plan.shape
        self.swarm = swarm
        self.is_stopped = False
        self.dice = random.Random(plan.shard)  # noqa: S311
        self.members = Counter(seat.room for seat in plan.seats)
        self.rooms = sorted(self.members)
        self._pipe = pipe
        self._timing = timing
        self._next_tick = time.monotonic() + TICK_SECONDS
        self._ticked = swarm.counts()
        self._ticked_times = Histogram()

    # --- time ----------------------------------------------------------------------------

    def step(self, milliseconds: int = 5, own_deliveries: int = 0) -> None:
        """Let the clients work, and tell now and then how it goes."""
        self.swarm.step(milliseconds, own_deliveries)
        if time.monotonic() >= self._next_tick:
            self._tick()

    def pass_time(self, seconds: float) -> None:
        """Do nothing but answer."""
        deadline = time.monotonic() + seconds
        while not self.is_over(deadline):
            self.step()

    def is_over(self, deadline: float) -> bool:
        """Whether the time has come, or somebody wants us to stop."""
        return self.is_stopped or time.monotonic() >= deadline

    def wait_until(self, reached: Callable[[], bool], seconds: float = GIVE_UP_SECONDS) -> bool:
        """Return whether it came true in time."""
        deadline = time.monotonic() + seconds
        while not reached():
            if self.is_over(deadline):
                return False
            self.step()
        return True

    # --- connections ---------------------------------------------------------------------

    def open_all(self) -> None:
        """Connect every seat that is not, at the pace of the plan.

        Raises:
            CannotConnect: None of them came in.
        """
        waiting = [n for n, state in enumerate(self.swarm.states()) if state != State.READY]
        waiting.reverse()
        began, started = time.monotonic(), 0
        settled = self._settled()
        quiet_since, last = began, settled
        while settled < len(self.plan.seats) and not self.is_stopped:
            under_way = len(self.plan.seats) - len(waiting) - settled
            for _ in range(min(len(waiting), self.shape.connecting_at_once - under_way)):
                rate = self.shape.connects_per_second
                if rate and started >= (time.monotonic() - began) * rate:
                    break
                self.swarm.open(waiting.pop())
                started += 1
            self.step(2)
            settled = self._settled()
            if settled != last:
                quiet_since, last = time.monotonic(), settled
            elif time.monotonic() - quiet_since > GIVE_UP_SECONDS:
                break
        if not self.swarm.count("ready") and self.plan.seats and not self.is_stopped:
            raise CannotConnect(self.swarm.last_error().strip() or "nobody answers")

    def _settled(self) -> int:
        swarm = self.swarm
        ended = swarm.count("lost") + swarm.count("refused") + swarm.count("busy")
        return swarm.count("ready") + ended - self._ended_before

    _ended_before = 0

    def close_all(self) -> None:
        """Reset every connection."""
        for number in range(len(self.plan.seats)):
            self.swarm.close(number)
        swarm = self.swarm
        self._ended_before = swarm.count("lost") + swarm.count("refused") + swarm.count("busy")

    # --- the one who waits ---------------------------------------------------------------

    def tell(self, kind: str, what: object = None) -> None:
        """Report something."""
        with contextlib.suppress(OSError):
            self._pipe.send((kind, what))

    def ask(self, kind: str) -> None:
        """Report something, and wait for the word to go on."""
        self.tell(kind)
        while not self.is_stopped:
            if self._heard() == "go":
                return
            self.swarm.step(2)

    def _heard(self) -> str:
        try:
            word = str(self._pipe.recv()) if self._pipe.poll() else ""
        except (EOFError, OSError):
            word = "stop"
        if word == "stop":
            self.is_stopped = True
        return word

    def _tick(self) -> None:
        self._heard()
        counts = self.swarm.counts()
        times = self.swarm.histogram(self._timing)
        restarted = times.total() < self._ticked_times.total()
        recent = times if restarted else times.since(self._ticked_times)
        before = vars(self._ticked)
        self.tell(
            "tick",
            {
                "at": time.time(),
                "counts": {name: value - before[name] for name, value in vars(counts).items()},
                "ready": counts.ready,
                "times": dict(recent),
            },
        )
        self._ticked, self._ticked_times = counts, times
        self._next_tick = time.monotonic() + TICK_SECONDS


def make_swarm(plan: Plan) -> tuple[Swarm, str]:
    """Return the clients, and why they are not those in C if they are not."""
    address, speech = plan.address, plan.dialect.speech
    options: dict[str, Any] = {
        "seats": len(plan.seats),
        "lanes": plan.lanes,
        "shard": plan.shard,
        "api": plan.api,
    }
    reason = "asked for"
    if plan.engine != "python":
        try:
            if address.is_tls or (plan.api and plan.api.is_tls):
                raise CannotBuild("it does not speak TLS")
            build()
            return NativeSwarm(address, speech, **options), ""
        except CannotBuild as error:
            if plan.engine == "c":
                raise CannotConnect(f"the generator in C: {error}") from error
            reason = str(error)
    return PlainSwarm(address, speech, **options), reason


def run_share(plan: Plan, scenario: Scenario, pipe: Connection) -> None:
    """The body of a load process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us decides
    if plan.cpu is not None:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {plan.cpu})
    _allow_many_files()
    try:
        swarm, reason = make_swarm(plan)
    except CannotConnect as error:
        pipe.send(("failed", str(error)))
        return
    load = Load(plan, swarm, pipe, scenario.timing)
    load.tell("engine", reason)
    for number, seat in enumerate(plan.seats):
        swarm.seat(number, seat.connects_with, seat.joins_with, seat.seen)
        if isinstance(plan.dialect, Peer):
            plan.dialect.members.setdefault(seat.room, number)
    try:
        load.ask("prepare")
        scenario.prepare(load)
        for _ in range(plan.shape.repetitions):
            if load.is_stopped:
                break
            _measure_once(load, scenario)
    except CannotConnect as error:
        load.tell("failed", str(error))
    finally:
        load.tell("done")
        swarm.end()


def _measure_once(load: Load, scenario: Scenario) -> None:
    load.ask("begin")
    if load.is_stopped:
        return
    swarm = load.swarm
    before, began, spent = vars(swarm.counts()), time.monotonic(), time.process_time()
    swarm.measure(True)
    known = scenario.measure(load)
    after = swarm.counts()
    load.tell(
        "measured",
        {
            "seconds": time.monotonic() - began,
            "cpu_seconds": time.process_time() - spent,
            "ready": after.ready,
            "counts": {name: value - before[name] for name, value in vars(after).items()},
            "times": {timing.name: dict(swarm.histogram(timing)) for timing in Timing},
            "known": known,
            "is_partial": load.is_stopped,
            "last_error": swarm.last_error(),
        },
    )
    swarm.measure(False)
    scenario.settle(load)
    load.ask("settled")


def _allow_many_files() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
