"""The inner port: what a kubelet, a scraper and an engineer ask of a process."""

from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from pytake.observability.metrics import Metrics
from pytake.observability.probes import Probes
from pytake.observability.status_page import sparkline


@pytest.fixture
def probes() -> Probes:
    return Probes(Metrics("gateway"))


@pytest.fixture
async def inner(probes: Probes) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=probes)
    async with httpx.AsyncClient(transport=transport, base_url="http://inner") as client:
        yield client


async def test_liveness_asks_nobody(probes: Probes, inner: httpx.AsyncClient) -> None:
    def never() -> str | None:
        raise AssertionError("/livez must touch nothing")

    probes.add_check("broker", never)

    assert (await inner.get("/livez")).status_code == 200


async def test_ready_only_once_everything_is_open_and_nothing_is_wrong(
    probes: Probes, inner: httpx.AsyncClient
) -> None:
    reason: str | None = "no canary for 10 s"
    probes.add_check("broker", lambda: reason)

    assert (await inner.get("/startupz")).status_code == 503
    assert (await inner.get("/readyz")).json()["reasons"].keys() == {"broker", "startup"}

    probes.started()
    assert (await inner.get("/startupz")).status_code == 200
    answer = await inner.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reasons": {"broker": "no canary for 10 s"}}
    assert probes.metrics.ready.value() == 0

    reason = None
    assert (await inner.get("/readyz")).status_code == 200
    assert probes.metrics.ready.value() == 1


async def test_a_note_tells_without_taking_the_process_out_of_service(
    probes: Probes, inner: httpx.AsyncClient
) -> None:
    probes.started()
    probes.add_note("redis", lambda: "away for 12 s")

    answer = await inner.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["notes"] == {"redis": "away for 12 s"}


async def test_metrics_speak_both_formats_with_the_figures_of_the_process(
    inner: httpx.AsyncClient,
) -> None:
    text = (await inner.get("/metrics")).text
    assert "process_resident_memory_bytes" in text
    assert "websocket_events_total" in text

    answer = await inner.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in parse(answer.text)}
    assert {"pytake_connections", "process_cpu_seconds", "websocket_events"} <= names


async def test_the_process_adds_handlers_of_its_own(
    probes: Probes, inner: httpx.AsyncClient
) -> None:
    async def connections(query: Mapping[str, str]) -> tuple[int, object]:
        return 200, {"user": query["user"], "connections": []}

    probes.add_handler("/internal/connections", connections)

    answer = await inner.get("/internal/connections", params={"user": "ana"})
    assert answer.json() == {"user": "ana", "connections": []}
    assert probes.handles("/internal/connections")
    assert not probes.handles("/api/v1/conversations")


async def test_what_is_not_there_and_what_is_not_a_get(inner: httpx.AsyncClient) -> None:
    assert (await inner.get("/etc/passwd")).status_code == 404
    assert (await inner.post("/internal/drain")).status_code == 405


async def test_a_page_shows_the_live_figures_without_grafana(
    probes: Probes, inner: httpx.AsyncClient
) -> None:
    probes.status.sample()
    probes.metrics.websocket_events.inc("ping", amount=7)
    probes.status.sample()

    text = (await inner.get("/status")).text
    page = await inner.get("/")
    same = await inner.get("/status", headers={"accept": "text/html,*/*"})

    assert "NOT READY" not in text
    (line,) = [one for one in text.splitlines() if one.startswith("events from clients")]
    assert line.split()[4] == "7"
    assert line.endswith("▁█")
    assert page.headers["content-type"].startswith("text/html")
    assert "events from clients" in page.text
    assert same.text == page.text, "where `dev` has its inbox at /, a browser asks for /status"


async def test_the_page_shows_how_long_deliveries_took_in_the_last_second(
    probes: Probes, inner: httpx.AsyncClient
) -> None:
    probes.status.sample()
    probes.metrics.message_delivery_seconds.observe(0.02, "message:new", "remote", count=3)
    probes.metrics.message_delivery_seconds.observe(0.06, "message:status", "remote")
    probes.status.sample()

    text = (await inner.get("/status")).text

    (line,) = [one for one in text.splitlines() if one.startswith("delivery ms")]
    assert line.split()[2] == "30"


def test_a_sparkline_is_as_high_as_its_highest_value() -> None:
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([0, 5, 10]) == "▁▄█"
