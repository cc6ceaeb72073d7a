"""Counters, gauges and histograms that cost an addition, and their text form.

prometheus_client takes 0.4–1.5 µs an observation, which is a third of what a delivery
costs altogether. Here an observation is an addition to a cell that exists from the
start: every label has a closed set of values, so nobody outside can create a series,
and `rate()` sees the first increment because every series begins at 0.
"""

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Generic, Literal, TypeVar

Kind = Literal["counter", "gauge", "histogram"]
LabelValues = tuple[str, ...]

OTHER = "other"
"""The value for everything outside a label's set, where the set has it."""

EXEMPLAR_SECONDS = 60.0
"""A bucket keeps its exemplar this long, then the next sampled one replaces it."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is declared of a metric: the row in docs/metrics.md.

    `labels` maps each label to its closed set of values; `combinations` lists the label
    sets outright where the product would hold many that cannot happen. `target` is the
    promise that the figure is held against, if there is one. `only_when_set` is for gauges
    whose 0 would be an alarm: a process without the thing does not list it.
    """

    name: str
    kind: Kind
    help: str
    unit: str
    components: frozenset[str]
    labels: Mapping[str, tuple[str, ...]]
    combinations: tuple[LabelValues, ...]
    buckets: tuple[float, ...] = ()
    target: str = ""
    only_when_set: bool = False

    @property
    def family(self) -> str:
        """The name without `_total`, as OpenMetrics writes it in its comments."""
        return self.name.removesuffix("_total")

    @property
    def series(self) -> int:
        """How many time series the metric makes."""
        return len(self.combinations) * (len(self.buckets) + 3 if self.buckets else 1)


def combinations_of(labels: Mapping[str, tuple[str, ...]]) -> tuple[LabelValues, ...]:
    """Return every label set of the product of the labels' values."""
    return tuple(product(*labels.values()))


class Cell:
    """One series of a counter or gauge. Hot paths keep the cell and add to `value`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def inc(self, amount: float = 1) -> None:
        self.value += amount

    def dec(self, amount: float = 1) -> None:
        self.value -= amount

    def set(self, value: float) -> None:
        self.value = value


class HistogramCell:
    """One label set of a histogram."""

    __slots__ = ("_bounds", "counts", "exemplars", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.exemplars: dict[int, tuple[str, float, float]] = {}

    def observe(self, value: float, count: int = 1) -> None:
        """Record `count` observations of one value: a broadcast is one call."""
        self.counts[bisect_left(self._bounds, value)] += count
        self.sum += value * count

    def observe_traced(self, value: float, trace_id: str, count: int = 1) -> None:
        """Record a sampled observation, whose trace becomes the exemplar of its bucket."""
        bucket = bisect_left(self._bounds, value)
        self.counts[bucket] += count
        self.sum += value * count
        known = self.exemplars.get(bucket)
        now = time.time()
        if known is None or now - known[2] > EXEMPLAR_SECONDS:
            self.exemplars[bucket] = (trace_id, value, now)

    @property
    def count(self) -> int:
        return sum(self.counts)


CellType = TypeVar("CellType", Cell, HistogramCell)


class Instrument(Generic[CellType]):
    """A declared metric with a cell for each of its label sets."""

    def __init__(self, description: Description, on_unknown: Callable[[str], None]) -> None:
        self.description = description
        self._on_unknown = on_unknown
        self._cells: dict[LabelValues, CellType] = {
            values: self._new_cell() for values in description.combinations
        }
        self._prefixes = {values: self._labels_text(values) for values in self._cells}

    def _new_cell(self) -> CellType:
        raise NotImplementedError

    def cell(self, *values: str) -> CellType:
        """Return the cell of the label values, in the order of declaration.

        A value outside its set becomes `other` where the set has it. Otherwise the
        observation goes to a cell that is not exported and the mistake is counted in
        `pytake_undeclared_labels_total`: a figure must never break what it measures.
        """
        found = self._cells.get(values)
        return found if found is not None else self._cell_of_unknown(values)

    def _cell_of_unknown(self, values: LabelValues) -> CellType:
        sets = list(self.description.labels.values())
        if len(values) == len(sets):
            known = tuple(
                value if value in allowed or OTHER not in allowed else OTHER
                for value, allowed in zip(values, sets, strict=True)
            )
            nothing_known = tuple(
                OTHER if OTHER in allowed else value
                for value, allowed in zip(values, sets, strict=True)
            )
            for candidate in (known, nothing_known):
                found = self._cells.get(candidate)
                if found is not None:
                    return found
        self._on_unknown(self.description.name)
        return self._new_cell()

    def cells(self) -> Iterator[tuple[LabelValues, CellType]]:
        """Yield label values and cells in the order of declaration."""
        yield from self._cells.items()

    def _labels_text(self, values: LabelValues) -> str:
        names = self.description.labels
        return ",".join(f'{name}="{_escaped(v)}"' for name, v in zip(names, values, strict=True))

    def lines(self, *, with_exemplars: bool) -> Iterator[str]:
        """Yield the samples in the text formats of Prometheus and OpenMetrics."""
        raise NotImplementedError

    @property
    def was_touched(self) -> bool:
        """Whether anything was ever observed."""
        raise NotImplementedError


class _Single(Instrument[Cell]):
    """What counters and gauges share: one sample a label set."""

    def _new_cell(self) -> Cell:
        cell = Cell()
        if self.description.only_when_set:
            cell.value = math.nan
        return cell

    def inc(self, *values: str, amount: float = 1) -> None:
        self.cell(*values).value += amount

    def value(self, *values: str) -> float:
        """Return the present figure of one label set."""
        return self.cell(*values).value

    def total(self) -> float:
        """Return the sum over all label sets."""
        return sum(cell.value for cell in self._cells.values() if not math.isnan(cell.value))

    @property
    def was_touched(self) -> bool:
        return self.total() != 0

    def lines(self, *, with_exemplars: bool) -> Iterator[str]:
        name = self.description.name
        for values, cell in self._cells.items():
            if not math.isnan(cell.value):
                labels = self._prefixes[values]
                series = f"{name}{{{labels}}}" if labels else name
                yield f"{series} {_number(cell.value)}"


class _Read(_Single):
    """Figures that may be read from somewhere when somebody asks."""

    _source: Callable[[], Mapping[LabelValues, float]] | None = None

    def read_from(self, source: Callable[[], Mapping[LabelValues, float] | float]) -> None:
        """Take the figures from `source` at each scrape.

        A gauge counted from the things themselves cannot drift, one counted up and down in
        handlers does. A counter that somebody else keeps need not be kept twice.
        """

        def figures() -> Mapping[LabelValues, float]:
            found = source()
            return found if isinstance(found, Mapping) else {(): found}

        self._source = figures

    def refresh(self) -> None:
        """Read the source now, if there is one; label sets that it leaves out are 0."""
        if self._source is None:
            return
        figures = self._source()
        for cell in self._cells.values():
            cell.value = math.nan if self.description.only_when_set else 0
        for values, figure in figures.items():
            cell = self.cell(*values)
            cell.value = figure if math.isnan(cell.value) else cell.value + figure

    def value(self, *values: str) -> float:
        self.refresh()
        return super().value(*values)

    def total(self) -> float:
        self.refresh()
        return super().total()

    def lines(self, *, with_exemplars: bool) -> Iterator[str]:
        self.refresh()
        return super().lines(with_exemplars=with_exemplars)


class Counter(_Read):
    """Only goes up."""


class Gauge(_Read):
    """Goes up and down."""

    def set(self, value: float, *values: str) -> None:
        self.cell(*values).value = value

    def dec(self, *values: str, amount: float = 1) -> None:
        self.cell(*values).value -= amount


class Histogram(Instrument[HistogramCell]):
    """How observations are spread over buckets."""

    _source: Callable[[], tuple[Sequence[int], float]] | None = None

    def __init__(self, description: Description, on_unknown: Callable[[str], None]) -> None:
        bounds = [*(_number(bound) for bound in description.buckets), "+Inf"]
        self._les = [f'le="{bound}"' for bound in bounds]
        super().__init__(description, on_unknown)

    def _new_cell(self) -> HistogramCell:
        return HistogramCell(self.description.buckets)

    def observe(self, value: float, *values: str, count: int = 1) -> None:
        """Record `count` observations of `value` under the label values."""
        self.cell(*values).observe(value, count)

    def read_from(self, source: Callable[[], tuple[Sequence[int], float]]) -> None:
        """Take counts per bucket and sum from who keeps them; for one without labels."""
        self._source = source

    def refresh(self) -> None:
        if self._source is not None:
            counts, total = self._source()
            self._cells[()].counts[:] = counts
            self._cells[()].sum = total

    @property
    def was_touched(self) -> bool:
        self.refresh()
        return any(any(cell.counts) for cell in self._cells.values())

    def lines(self, *, with_exemplars: bool) -> Iterator[str]:
        self.refresh()
        name = self.description.name
        for values, cell in self._cells.items():
            labels = self._prefixes[values]
            before = f"{name}_bucket{{{labels}," if labels else f"{name}_bucket{{"
            running = 0
            for bucket, count in enumerate(cell.counts):
                running += count
                line = f"{before}{self._les[bucket]}}} {running}"
                if with_exemplars and bucket in cell.exemplars:
                    trace_id, value, moment = cell.exemplars[bucket]
                    line += f' # {{trace_id="{_escaped(trace_id)}"}} {value:.6g} {moment:.3f}'
                yield line
            braces = f"{{{labels}}}" if labels else ""
            yield f"{name}_sum{braces} {cell.sum:.9g}"
            yield f"{name}_count{braces} {running}"


def exposition(
    instruments: Sequence[Counter | Gauge | Histogram], *, open_metrics: bool
) -> Iterator[str]:
    """Yield the lines of a scrape; OpenMetrics has units and exemplars, the older text has not."""
    for instrument in instruments:
        description = instrument.description
        name = description.family if open_metrics else description.name
        yield f"# HELP {name} {_escaped(description.help)}"
        yield f"# TYPE {name} {description.kind}"
        if open_metrics and description.unit and name.endswith("_" + description.unit):
            yield f"# UNIT {name} {description.unit}"
        yield from instrument.lines(with_exemplars=open_metrics)


def _number(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
