"""What is printed and drawn of a run, and what it warns of."""

import re
from typing import Any
from xml.etree import ElementTree

from pytake.bench import report
from pytake.bench.histogram import Histogram
from pytake.bench.result import Repetition, Result
from pytake.bench.server_figures import Use
from pytake.bench.swarm import Counts, Timing


def repetition(
    *, milliseconds: float = 4.0, generator: float = 0.1, server: float = 0.5, **counts: int
) -> Repetition:
    deliveries = counts.setdefault("deliveries", 1000)
    return Repetition(
        timing=Timing.DELIVERED,
        seconds=2.0,
        ready=10,
        counts=vars(Counts()) | counts,
        times={t.name: Histogram() for t in Timing}
        | {"DELIVERED": Histogram.of_milliseconds([milliseconds] * deliveries)},
        known=[{"published": 100}],
        generator_cpu=[generator * 2],
        server_before={1: Use(10.0, 1000)},
        server_after={1: Use(10.0 + server * 2, 2000)},
    )


def result_of(*repetitions: Repetition, engine: str = "C") -> Result:
    shape = {"connections": 10, "rooms": 1}
    ticks: list[dict[str, Any]] = [
        {"at": n, "ready": 10, "counts": {}, "p50_ms": p50, "p99_ms": 9.0, "operations": 500,
         "server_core": None if n == 0 else 0.5, "server_mb": 20.0}
        for n, p50 in enumerate([3.0, None, 4.0, 4.5])
    ]  # fmt: skip
    return Result(
        "fanout", "127.0.0.1:8000", shape, engine, 1, list(repetitions), ticks, {1: "pytake dev"}
    )


def test_figures_are_medians_with_their_spread() -> None:
    result = result_of(*(repetition(deliveries=n) for n in (1000, 1200, 4000)))

    assert result.spread()["per_second"] == (600, 500, 2000)
    assert result.median("server_us_per_op") == 1_000_000 / 1200


def test_it_says_so_when_the_generator_is_the_bottleneck() -> None:
    assert not result_of(repetition()).warnings()
    assert "bottleneck" in result_of(repetition(generator=0.99)).warnings()[0]
    costly = result_of(repetition(generator=0.9, server=0.5))
    assert any("costs more than the server" in warning for warning in costly.warnings())
    plain = result_of(repetition(), engine="Python (there is no C compiler)")
    assert any("no C compiler" in warning for warning in plain.warnings())


def test_nothing_that_went_wrong_is_left_out_of_the_table() -> None:
    bad = repetition(refused=3, limited_answers=7, lost=1, errors=2)
    bad.known = [{"published": 100, "missing": 5}]
    text = report.table(result_of(bad))

    for expected in ("3 connections were refused", "7 requests met", "1 connections were lost"):
        assert expected in text
    assert "5 deliveries are missing" in text


def test_a_run_that_was_stopped_is_told_apart() -> None:
    result = result_of(repetition())
    result.is_partial = True

    assert "stopped early" in report.table(result)
    assert result.as_json()["is_partial"] is True


def test_the_page_is_whole_and_draws_gaps_as_gaps() -> None:
    page = report.page([result_of(repetition(), repetition())], "about <this>")

    svgs = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(svgs) == 6
    for svg in svgs:
        ElementTree.fromstring(svg)  # noqa: S314 - our own page
    assert "about &lt;this&gt;" in page
    latency = next(svg for svg in svgs if 'aria-label="Latency, ms"' in svg)
    # p50 has a gap: a dot before it, a line after it; p99 has none.
    assert latency.count("<circle") == 1
    assert latency.count("<polyline") == 3
