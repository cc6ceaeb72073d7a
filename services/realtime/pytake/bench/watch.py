"""Whether a server comes to rest where it began: gauges of its pods, read beside a long load.

Read are the pods' own metrics, so it works from anywhere that reaches their inner ports.
"""

import statistics
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

RESTING = {
    "connections": "pytake_connections",
    "rooms": "pytake_rooms",
    "subscriptions": "pytake_broker_subscriptions",
    "tasks": "pytake_event_loop_tasks",
    "file descriptors": "files",
    "bytes that wait for clients": "pytake_send_buffer_bytes",
}
MEMORY = "process_resident_memory_bytes"
PHASES = ("before", "load", "after")
_SETTLING_SHARE = 1 / 3
"""Of the load: caches and pools fill in it, and its memory is not part of the slope."""


@dataclass(frozen=True)
class Sample:
    """What one pod said of itself."""

    at: float
    values: dict[str, float]


@dataclass
class Course:
    """What a pod said over time, by phase."""

    samples: dict[str, list[Sample]] = field(default_factory=lambda: {name: [] for name in PHASES})

    def median(self, phase: str, name: str) -> float | None:
        """Return the usual value in a phase; what is there for a moment does not count."""
        values = [s.values[name] for s in self.samples[phase] if name in s.values]
        return statistics.median(values) if values else None

    def slope_mb_per_hour(self) -> float | None:
        """Return how fast memory grows once it has settled (least squares)."""
        load = [s for s in self.samples["load"] if MEMORY in s.values]
        settled = load[int(len(load) * _SETTLING_SHARE) :]
        if len(settled) < 3:
            return None
        fit = statistics.linear_regression(
            [sample.at / 3600 for sample in settled],
            [sample.values[MEMORY] / 2**20 for sample in settled],
        )
        return float(fit.slope)


class Watch:
    """Reads pods every so often, in a thread, while inside `with`.

    Args:
        pods: Name → address of its inner port.
        more: Further counts, by name; they belong to the cluster, not to a pod.
    """

    def __init__(
        self,
        pods: Mapping[str, str],
        *,
        every_seconds: float = 10,
        more: Mapping[str, Callable[[], float]] | None = None,
    ) -> None:
        self.courses = {name: Course() for name in pods}
        self.cluster = Course()
        self._pods = dict(pods)
        self._every = every_seconds
        self._more = dict(more or {})
        self._phase = ""
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._read_on, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(30)

    def enter(self, phase: str) -> None:
        """What is read from now on belongs to this phase; to none, if empty."""
        self._phase = phase

    def rest(self, phase: str, samples: int, *, after_seconds: float) -> None:
        """Let things end, then read so many samples of a phase."""
        self.enter("")
        time.sleep(after_seconds)
        self.enter(phase)
        while len(self.cluster.samples[phase]) < samples:
            time.sleep(0.05)
        self.enter("")

    def _read_on(self) -> None:
        while not self._ends.is_set():
            phase, now = self._phase, time.time()
            if not phase:
                self._ends.wait(0.05)
                continue
            for name, address in self._pods.items():
                with suppress(OSError):
                    self.courses[name].samples[phase].append(Sample(now, read(address)))
            values = {}
            for name, count in self._more.items():
                with suppress(OSError):
                    values[name] = float(count())
            self.cluster.samples[phase].append(Sample(now, values))
            self._ends.wait(self._every)


def read(address: str) -> dict[str, float]:
    """Return the metrics of a pod, labels added up.

    Raises:
        OSError: It does not answer.
    """
    with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:  # noqa: S310
        text = answer.read().decode()
    found = added_up(text)
    # The pool of database connections is as large as its busiest moment, and that is no leak.
    pool = found.get("pytake_store_pool_connections", 0)
    return found | {"files": found.get("process_open_fds", 0) - pool}


def added_up(text: str) -> dict[str, float]:
    """Return the sum of each metric over its labels, from Prometheus's text."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        name_and_labels, _, rest = line.rpartition("} ") if "}" in line else line.partition(" ")
        name = name_and_labels.partition("{")[0].strip()
        with suppress(ValueError, IndexError):
            found[name] = found.get(name, 0.0) + float(rest.split()[0])
    return found


@dataclass(frozen=True)
class Rest:
    """One count before and after."""

    pod: str
    name: str
    before: float | None
    after: float | None

    @property
    def has_returned(self) -> bool:
        """Whether there is no more of it than there was."""
        if self.before is None or self.after is None:
            return False
        return self.after <= self.before


def rests(watch: Watch) -> list[Rest]:
    """Return what each pod, and the cluster, came to rest at."""
    found = [
        Rest(pod, title, course.median("before", name), course.median("after", name))
        for pod, course in watch.courses.items()
        for title, name in RESTING.items()
        if course.median("before", name) is not None
    ]
    names: Sequence[str] = sorted({n for s in watch.cluster.samples["before"] for n in s.values})
    return found + [
        Rest("cluster", n, watch.cluster.median("before", n), watch.cluster.median("after", n))
        for n in names
    ]


def table(watch: Watch, allowed_mb_per_hour: float) -> str:
    """Return what was found as text; a line that begins with ! is a promise broken."""
    lines = [f"{'':30}{'before':>12}{'in the load':>14}{'after':>12}"]
    for pod, course in watch.courses.items():
        memory = [course.median(phase, MEMORY) for phase in PHASES]
        slope = course.slope_mb_per_hour()
        text = "".join(
            f"{'–' if m is None else f'{m / 2**20:.1f} MB':>{width}}"
            for m, width in zip(memory, (12, 14, 12), strict=True)
        )
        grows = slope is not None and slope > allowed_mb_per_hour
        end = "" if slope is None else f"   {slope:+.2f} MB an hour"
        lines.append(f"{'! ' if grows else '  '}{pod + ' memory':28}{text}{end}")
    for rest in rests(watch):
        course = watch.courses.get(rest.pod, watch.cluster)
        between = course.median("load", RESTING.get(rest.name, rest.name))
        cells = (rest.before, between, rest.after)
        text = "".join(
            f"{'–' if c is None else f'{c:g}':>{w}}"
            for c, w in zip(cells, (12, 14, 12), strict=True)
        )
        mark = "  " if rest.has_returned else "! "
        lines.append(f"{mark}{rest.pod + ' ' + rest.name:28}{text}")
    return "\n".join(lines)
