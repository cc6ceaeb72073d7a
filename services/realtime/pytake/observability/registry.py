"""Where the instruments of one process are kept, and how they are declared and written out.

A registry belongs to a process object, never to a module: several pods live in one
test process and count apart.
"""

from typing import Literal, TypeVar

from pytake.observability.instruments import (
    Counter,
    Description,
    Gauge,
    Histogram,
    LabelValues,
    combinations_of,
    exposition,
)

Component = Literal["gateway", "api", "relay", "dev"]
AnyInstrument = TypeVar("AnyInstrument", Counter, Gauge, Histogram)

PREFIX = "pytake_"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""0.1 has to be an edge: it is the objective of delivery."""


class Registry:
    """The instruments of one process.

    Args:
        component: Whose figures are listed; `dev` lists all. A figure of another component
            is listed once something was observed, so that none gets lost.
    """

    def __init__(self, component: Component) -> None:
        self.component = component
        self.instruments: list[Counter | Gauge | Histogram] = []

    def on_unknown_label(self, name: str) -> None:
        """Called when a metric was given a label value outside its set."""

    @property
    def descriptions(self) -> list[Description]:
        """Every declared metric: the catalogue."""
        return [instrument.description for instrument in self.instruments]

    def named(self, name: str) -> Counter | Gauge | Histogram:
        """Return the metric with the full name.

        Raises:
            KeyError: There is none.
        """
        return {found.description.name: found for found in self.instruments}[name]

    def exposition(self, *, open_metrics: bool = False) -> str:
        """Return the figures of this component as text, without the final `# EOF`."""
        listed = [
            instrument
            for instrument in self.instruments
            if self.component == "dev"
            or self.component in instrument.description.components
            or instrument.was_touched
        ]
        return "".join(f"{line}\n" for line in exposition(listed, open_metrics=open_metrics))


class Section:
    """Declares the metrics that the same components have."""

    def __init__(self, registry: Registry, *components: Component) -> None:
        self._registry = registry
        self._components = frozenset(components)

    def counter(
        self,
        name: str,
        text: str,
        *,
        prefix: str = PREFIX,
        target: str = "",
        combinations: tuple[LabelValues, ...] = (),
        **labels: tuple[str, ...],
    ) -> Counter:
        return self._add(
            Counter,
            Description(
                prefix + name,
                "counter",
                text,
                _unit(name),
                self._components,
                labels,
                combinations or combinations_of(labels),
                target=target,
            ),
        )

    def gauge(
        self,
        name: str,
        text: str,
        *,
        prefix: str = PREFIX,
        only_when_set: bool = False,
        **labels: tuple[str, ...],
    ) -> Gauge:
        return self._add(
            Gauge,
            Description(
                prefix + name,
                "gauge",
                text,
                _unit(name),
                self._components,
                labels,
                combinations_of(labels),
                only_when_set=only_when_set,
            ),
        )

    def histogram(
        self,
        name: str,
        text: str,
        *,
        buckets: tuple[float, ...] = SECONDS,
        target: str = "",
        combinations: tuple[LabelValues, ...] = (),
        **labels: tuple[str, ...],
    ) -> Histogram:
        return self._add(
            Histogram,
            Description(
                PREFIX + name,
                "histogram",
                text,
                _unit(name),
                self._components,
                labels,
                combinations or combinations_of(labels),
                buckets,
                target,
            ),
        )

    def _add(self, make: type[AnyInstrument], description: Description) -> AnyInstrument:
        instrument = make(description, self._registry.on_unknown_label)
        self._registry.instruments.append(instrument)
        return instrument


def _unit(name: str) -> str:
    parts = name.removesuffix("_total").split("_")
    return parts[-1] if parts[-1] in ("seconds", "bytes") else ""
