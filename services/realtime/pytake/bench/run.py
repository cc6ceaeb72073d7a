"""Runs a scenario: starts the load processes, reads the server meanwhile, adds everything up."""

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any

from pytake.bench.histogram import Histogram
from pytake.bench.load import CannotConnect, Scenario, run_share
from pytake.bench.plan import Plan
from pytake.bench.result import Repetition, Result
from pytake.bench.server_figures import name_of, use_of, uses_of
from pytake.bench.swarm import Timing

_SILENT_SECONDS = 180.0
_SPAWN = multiprocessing.get_context("spawn")


@dataclass
class _Process:
    process: Any
    pipe: Connection
    is_done: bool = False


class Run:
    """One scenario against one server.

    Args:
        plan: The whole; it is shared out here.
        scenario: What is done.
        processes: How many load it.
        pids: The server's processes on this machine, read beside the load.
        on_tick: Gets the sums of a second, for a live line.
    """

    def __init__(
        self,
        plan: Plan,
        scenario: Scenario,
        *,
        processes: int = 1,
        pids: Sequence[int] = (),
        cpus: Sequence[int] = (),
        on_tick: Callable[[dict[str, Any]], None] = lambda tick: None,
        label: str = "",
    ) -> None:
        self._plan = plan
        self._scenario = scenario
        self._count = min(processes, max(1, len(plan.seats)))
        self._pids = list(pids)
        self._cpus = list(cpus)
        self._on_tick = on_tick
        self._workers: list[_Process] = []
        self._ticks: list[dict[str, Any]] = []
        self._is_stopped = False
        self.result = Result(
            scenario=plan.scenario,
            target=plan.address.authority,
            shape=asdict(plan.shape),
            engine="C",
            processes=self._count,
            server_names={pid: name_of(pid) for pid in pids},
            label=label,
        )

    def stop(self) -> None:
        """End early; what was measured until now is the result."""
        self._is_stopped = True
        self._say("stop")

    def __call__(self) -> Result:
        """Run it to its end, or to Ctrl-C.

        Raises:
            CannotConnect: Nothing could be measured.
        """
        self._start()
        before = signal.getsignal(signal.SIGINT)
        with suppress(ValueError):  # not in the main thread: nobody presses Ctrl-C there
            signal.signal(signal.SIGINT, lambda *_: self.stop())
        try:
            if not self._await("prepare") and not self._is_stopped:
                raise CannotConnect("no load process came up")
            self._say("go")
            for _ in range(self._plan.shape.repetitions):
                if not self._repeat():
                    break
        finally:
            with suppress(ValueError):
                signal.signal(signal.SIGINT, before)
            self._end()
        self.result.is_partial = self._is_stopped
        self.result.ticks = self._ticks
        return self.result

    def _start(self) -> None:
        for shard in range(self._count):
            ours, theirs = _SPAWN.Pipe()
            share = self._plan.share(shard, self._count) if self._count > 1 else self._plan
            if self._cpus:
                share = replace(share, cpu=self._cpus[shard % len(self._cpus)])
            process = _SPAWN.Process(
                target=run_share, args=(share, self._scenario, theirs), daemon=True
            )
            process.start()
            theirs.close()
            self._workers.append(_Process(process, ours))

    def _repeat(self) -> bool:
        """One repetition; False if there is none any more."""
        if not self._await("begin"):
            return False
        before = uses_of(self._pids)
        self._say("go")
        measured = self._await("measured")
        after = uses_of(self._pids)
        if not measured:
            return False
        rested: dict[int, Any] = {}
        if self._plan.scenario == "connect" and self._await("rested"):
            rested = uses_of(self._pids)
            self._say("go")
        self.result.repetitions.append(_sum_up(self._scenario.timing, measured))
        repetition = self.result.repetitions[-1]
        repetition.server_before, repetition.server_after = before, after
        repetition.server_rested = rested
        if self._await("settled"):
            self._say("go")
        return not self._is_stopped

    def _say(self, word: str) -> None:
        for worker in self._workers:
            with suppress(OSError):
                worker.pipe.send(word)

    def _await(self, kind: str) -> list[Any]:
        """Wait until every process that is still there has said this; return what they said."""
        said: dict[int, Any] = {}
        heard = time.monotonic()
        while True:
            open_ones = {i: w for i, w in enumerate(self._workers) if not w.is_done}
            if not open_ones or said.keys() >= open_ones.keys():
                return list(said.values())
            pipes: dict[Any, int] = {w.pipe: i for i, w in open_ones.items() if i not in said}
            for pipe in wait(list(pipes), timeout=1):
                heard = time.monotonic()
                self._take(pipes[pipe], kind, said)
            if time.monotonic() - heard > _SILENT_SECONDS:
                raise CannotConnect("a load process fell silent")

    def _take(self, number: int, kind: str, said: dict[int, Any]) -> None:
        worker = self._workers[number]
        try:
            what, value = worker.pipe.recv()
        except (EOFError, OSError):
            worker.is_done = True
            return
        if what == kind:
            said[number] = value
        elif what == "tick":
            self._add_tick(value)
        elif what == "engine":
            self.result.engine = f"Python ({value})" if value else "C"
        elif what == "failed":
            raise CannotConnect(value)
        elif what == "done":
            worker.is_done = True

    def _add_tick(self, tick: dict[str, Any]) -> None:
        """Add it to the ticks of the same second; pass the second before on."""
        second = int(tick["at"])
        last = self._ticks[-1] if self._ticks else None
        if last is None or last["at"] != second:
            if last is not None:
                self._on_tick(last)
            used = [use_of(pid) for pid in self._pids]
            now, spent = time.monotonic(), sum(use.cpu_seconds for use in used)
            last = {
                "at": second,
                "counts": dict.fromkeys(tick["counts"], 0),
                "ready": 0,
                "times": Histogram(),
                "server_cpu_seconds": spent,
                "server_mb": sum(use.memory_kb for use in used) / 1024,
                "monotonic": now,
            }
            self._ticks.append(last)
        for name, value in tick["counts"].items():
            last["counts"][name] += value
        last["ready"] += tick["ready"]
        last["times"].update(tick["times"])

    def _end(self) -> None:
        self._say("stop")
        for worker in self._workers:
            worker.process.join(10)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()
        self._ticks = list(_digested(self._ticks))


def _sum_up(timing: Timing, measured: Iterable[dict[str, Any]]) -> Repetition:
    parts = list(measured)
    counts: dict[str, int] = {}
    times = {each.name: Histogram() for each in Timing}
    for part in parts:
        for name, value in part["counts"].items():
            counts[name] = counts.get(name, 0) + value
        for name, histogram in part["times"].items():
            times[name].update(histogram)
    return Repetition(
        timing=timing,
        seconds=max(part["seconds"] for part in parts),
        ready=sum(part["ready"] for part in parts),
        counts=counts,
        times=times,
        known=[part["known"] for part in parts],
        generator_cpu=[part["cpu_seconds"] for part in parts],
        is_partial=any(part["is_partial"] for part in parts),
        last_error=next((part["last_error"] for part in parts if part["last_error"]), ""),
    )


def _digested(ticks: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Quantiles instead of histograms, and shares of a core instead of sums of seconds."""
    for before, tick in zip([None, *ticks], ticks, strict=False):
        times: Histogram = tick["times"]
        core = None
        if before is not None and tick["monotonic"] > before["monotonic"]:
            spent = tick["server_cpu_seconds"] - before["server_cpu_seconds"]
            core = spent / (tick["monotonic"] - before["monotonic"])
        yield {
            "at": tick["at"],
            "ready": tick["ready"],
            "counts": tick["counts"],
            "p50_ms": times.quantile(0.5),
            "p99_ms": times.quantile(0.99),
            "operations": times.total(),
            "server_core": core,
            "server_mb": tick["server_mb"],
        }
