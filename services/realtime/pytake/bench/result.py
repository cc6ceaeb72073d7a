"""What a run came to: figures of each repetition, and their medians with the spread."""

import statistics
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from pytake.bench.histogram import Histogram
from pytake.bench.server_figures import Use
from pytake.bench.swarm import Timing

GENERATOR_LIMIT = 0.95
"""Share of a core above which a load process, not the server, may be what was measured."""
GENERATOR_IDLE = 0.2
"""Below this it has time enough, whatever its waiting costs a frame."""

_OPERATIONS = {
    Timing.CONNECTED: "connect",
    Timing.DELIVERED: "delivery",
    Timing.ANSWERED: "event",
    Timing.REQUESTED: "request",
}
_COUNTED = {Timing.DELIVERED: "deliveries", Timing.ANSWERED: "answers"}


@dataclass
class Repetition:
    """One measured stretch, over all load processes."""

    timing: Timing
    seconds: float
    ready: int
    counts: dict[str, int]
    times: dict[str, Histogram]
    known: list[dict[str, Any]]
    generator_cpu: list[float]
    """Seconds of each load process."""
    server_before: dict[int, Use] = field(default_factory=dict)
    server_after: dict[int, Use] = field(default_factory=dict)
    server_rested: dict[int, Use] = field(default_factory=dict)
    is_partial: bool = False
    last_error: str = ""

    @property
    def operations(self) -> int:
        """Deliveries, events or connects, as the scenario goes."""
        name = _COUNTED.get(self.timing)
        return self.counts[name] if name else self.times[self.timing.name].total()

    def server_cpu(self, pid: int) -> float:
        """Seconds of processor time that a server process used meanwhile."""
        return self.server_after[pid].cpu_seconds - self.server_before[pid].cpu_seconds

    def sum_known(self, name: str) -> float:
        """Add up what the scenario reported in each process."""
        return float(sum(each.get(name, 0) for each in self.known))

    def figures(self) -> dict[str, float | None]:
        """Return everything that is compared, by name; names end in their unit."""
        times, operations = self.times[self.timing.name], self.operations
        server_cpu = sum(map(self.server_cpu, self.server_before))
        # Messages received are what costs a generator; a handshake is work of another kind.
        frames = sum(self.counts[n] for n in ("deliveries", "answers", "others", "pings"))
        is_frames = self.timing in _COUNTED
        found: dict[str, float | None] = {
            "per_second": operations / self.seconds,
            "p50_ms": times.quantile(0.5),
            "p90_ms": times.quantile(0.9),
            "p99_ms": times.quantile(0.99),
            "p999_ms": times.quantile(0.999),
            "max_ms": times.quantile(1.0),
            "generator_core": max(self.generator_cpu) / self.seconds,
            "generator_us_per_frame": (
                sum(self.generator_cpu) * 1e6 / frames if is_frames and frames else None
            ),
        }
        if self.times["REQUESTED"].total() and self.timing is not Timing.REQUESTED:
            found["request_p50_ms"] = self.times["REQUESTED"].quantile(0.5)
            found["request_p99_ms"] = self.times["REQUESTED"].quantile(0.99)
        if self.server_before and self.server_after:
            found["server_core"] = server_cpu / self.seconds
            found["server_us_per_op"] = server_cpu * 1e6 / operations if operations else None
            found["server_us_per_frame"] = (
                server_cpu * 1e6 / frames if is_frames and frames else None
            )
            found["server_mb"] = sum(u.memory_kb for u in self.server_after.values()) / 1024
        if self.counts["replayed"]:
            found["replayed"] = self.counts["replayed"]
        if published := self.sum_known("published"):
            found["published_per_second"] = published / self.seconds
            if self.server_before:
                found["server_us_per_message"] = server_cpu * 1e6 / published
        if returned := sorted(second for each in self.known for second in each.get("returned", ())):
            found["back_half_seconds"] = returned[len(returned) // 2]
            found["back_99_seconds"] = returned[int(len(returned) * 0.99)]
            found["back_all_seconds"] = returned[-1]
            seconds = Counter(map(int, returned))
            found["peak_connects_per_second"] = max(seconds.values())
            found["refusals"] = self.sum_known("refusals")
        if self.server_rested and self.ready:
            grown = sum(
                self.server_rested[pid].memory_kb - use.memory_kb
                for pid, use in self.server_before.items()
                if pid in self.server_rested
            )
            if self.timing is Timing.CONNECTED:
                found["server_kb_per_connection"] = grown / self.ready
        return found


@dataclass
class Result:
    """A scenario against one server, all repetitions."""

    scenario: str
    target: str
    shape: dict[str, Any]
    engine: str
    processes: int
    repetitions: list[Repetition] = field(default_factory=list)
    ticks: list[dict[str, Any]] = field(default_factory=list)
    server_names: dict[int, str] = field(default_factory=dict)
    is_partial: bool = False
    label: str = ""

    @property
    def operation(self) -> str:
        """What is counted, in the singular."""
        return _OPERATIONS[self.repetitions[0].timing] if self.repetitions else "operation"

    def spread(self) -> dict[str, tuple[float, float, float]]:
        """Return median, least and greatest of each figure over the repetitions."""
        names = dict.fromkeys(name for each in self.repetitions for name in each.figures())
        found = {}
        for name in names:
            values = [each.figures().get(name) for each in self.repetitions]
            numbers = [value for value in values if value is not None]
            if numbers:
                found[name] = (statistics.median(numbers), min(numbers), max(numbers))
        return found

    def median(self, name: str) -> float | None:
        """Return the median of one figure."""
        spread = self.spread().get(name)
        return spread[0] if spread else None

    def warnings(self) -> list[str]:
        """Return what makes the figures less than they seem."""
        found = []
        core = max((each.figures()["generator_core"] or 0 for each in self.repetitions), default=0)
        if core > GENERATOR_LIMIT:
            found.append(
                f"the generator used {core:.0%} of its core: it, not the server, may be the "
                "bottleneck (use more --processes)"
            )
        mine, theirs = self.median("generator_us_per_frame"), self.median("server_us_per_frame")
        if mine and theirs and mine > theirs and core > GENERATOR_IDLE:
            found.append(
                f"the generator costs more than the server ({mine:.1f} µs a frame, not "
                f"{theirs:.1f}): latencies may be its own"
            )
        if not self.engine.startswith("C"):
            found.append(f"the generator is the one in {self.engine}, which costs more")
        failures = {
            "refused": "connections were refused",
            "limited_answers": "requests met a rate limit (429)",
            "bad_answers": "requests failed",
            "failed_requests": "requests got no answer",
            "errors": "events were answered by an error",
        }
        for name, text in failures.items():
            count = sum(each.counts[name] for each in self.repetitions)
            if count:
                said = next((e.last_error for e in self.repetitions if e.last_error), "")
                found.append(f"{count} {text}" + (f"; last: {_short(said)}" if said else ""))
        lost = sum(each.counts["lost"] for each in self.repetitions)
        if lost:
            found.append(f"{lost} connections were lost")
        missing = sum(each.sum_known("missing") for each in self.repetitions)
        if missing:
            found.append(f"{missing:.0f} deliveries are missing (or came too often, if negative)")
        stalls = sum(each.sum_known("stalls") for each in self.repetitions)
        if stalls:
            found.append(f"{stalls:.0f} times nothing arrived for two seconds")
        if self.is_partial:
            found.append("stopped early: what was measured until then")
        return found

    def as_json(self) -> dict[str, Any]:
        """Return everything, for machines."""
        return {
            "scenario": self.scenario,
            "label": self.label,
            "target": self.target,
            "shape": self.shape,
            "generator": self.engine,
            "processes": self.processes,
            "operation": self.operation,
            "is_partial": self.is_partial,
            "medians": {
                name: {"median": m, "min": low, "max": high}
                for name, (m, low, high) in self.spread().items()
            },
            "repetitions": [
                {
                    "figures": each.figures(),
                    "seconds": each.seconds,
                    "ready": each.ready,
                    "counts": each.counts,
                    "known": each.known,
                    "server": {
                        self.server_names.get(pid, str(pid)): {
                            "cpu_seconds": each.server_cpu(pid),
                            "memory_kb": asdict(each.server_after[pid])["memory_kb"],
                        }
                        for pid in each.server_before
                    },
                }
                for each in self.repetitions
            ],
            "ticks": self.ticks,
            "warnings": self.warnings(),
        }


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else line[:117] + "…"
