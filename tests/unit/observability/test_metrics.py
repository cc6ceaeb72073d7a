"""The catalogue counts cheaply, is closed, stays small, and other programs can read it."""

import re
import time

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pytake.contract.client_events import CLIENT_EVENTS
from pytake.contract.server_events import SERVER_EVENTS
from pytake.domain.errors import ErrorCode
from pytake.observability import labels
from pytake.observability.metrics import Metrics
from pytake.observability.registry import Component

SERIES_BUDGET = 1500


def samples(metrics: Metrics) -> dict[str, float]:
    text = metrics.exposition(open_metrics=True) + "# EOF\n"
    return {
        sample.name + str(sorted(sample.labels.items())): sample.value
        for family in parse_open_metrics(text)
        for sample in family.samples
    }


def test_every_series_exists_and_is_zero_before_anything_happened() -> None:
    metrics = Metrics("dev")

    found = samples(metrics)

    always = [one for one in metrics.descriptions if not one.only_when_set]
    assert len(found) == sum(one.series for one in always)
    assert {name for name, value in found.items() if value} == {
        name for name in found if name.startswith("pytake_build_info")
    }


@pytest.mark.parametrize("component", ["dev", "gateway", "api", "relay"])
def test_no_process_has_more_series_than_the_budget(component: Component) -> None:
    assert len(samples(Metrics(component))) < SERIES_BUDGET


def test_load_with_hostile_labels_makes_no_series() -> None:
    metrics = Metrics("dev")
    before = set(samples(metrics))

    for number in range(5000):
        metrics.websocket_events.inc(f"nonsense {number}")
        metrics.connections_closed.inc(f"reason {number}")
        metrics.room_joins.inc(f"outcome {number}")

    after = samples(metrics)
    assert set(after) == before
    assert metrics.websocket_events.value("other") == 5000
    assert metrics.connections_closed.value("other") == 5000
    assert metrics.undeclared_labels.value() == 5000, "outcomes have no `other`: counted as a bug"


def test_a_process_counts_deliveries_of_its_own_kind_only() -> None:
    for component, own, other in (("dev", "local", "remote"), ("gateway", "remote", "local")):
        text = Metrics(component).exposition()  # type: ignore[arg-type]

        assert f'path="{own}"' in text
        assert f'path="{other}"' not in text


def test_a_broadcast_of_thousands_is_one_observation() -> None:
    metrics = Metrics()

    metrics.message_delivery_seconds.observe(0.02, "message:new", "local", count=3000)

    found = samples(metrics)
    labels_of = "[('event', 'message:new'), {le}('path', 'local')]"
    count = found["pytake_message_delivery_seconds_count" + labels_of.format(le="")]
    le = "('le', '{}'), "
    bucket = "pytake_message_delivery_seconds_bucket" + labels_of
    assert count == 3000
    assert found[bucket.format(le=le.format("0.01"))] == 0
    assert found[bucket.format(le=le.format("0.025"))] == 3000
    assert found[bucket.format(le=le.format("+Inf"))] == 3000


def test_the_edge_of_a_bucket_belongs_to_it() -> None:
    metrics = Metrics()

    metrics.message_delivery_seconds.observe(0.1, "message:new", "local")

    cell = metrics.message_delivery_seconds.cell("message:new", "local")
    assert cell.counts[metrics.message_delivery_seconds.description.buckets.index(0.1)] == 1


def test_exemplars_name_the_trace_and_only_openmetrics_has_them() -> None:
    metrics = Metrics()
    cell = metrics.message_delivery_seconds.cell("message:new", "local")

    cell.observe_traced(0.3, "0af7651916cd43dd8448eb211c80319c", count=2)

    text = metrics.exposition(open_metrics=True) + "# EOF\n"
    families = {one.name: one for one in parse_open_metrics(text)}
    exemplars = [
        s.exemplar for s in families["pytake_message_delivery_seconds"].samples if s.exemplar
    ]
    assert [(e.labels["trace_id"], e.value) for e in exemplars] == [
        ("0af7651916cd43dd8448eb211c80319c", 0.3)
    ]
    assert "trace_id" not in metrics.exposition()
    list(parse_text(metrics.exposition()))


def test_a_gauge_can_be_counted_from_the_things_themselves() -> None:
    metrics = Metrics()
    open_now: dict[tuple[str, ...], float] = {("websocket", "agent"): 2, ("polling", "bot"): 1}
    metrics.connections.read_from(lambda: open_now)

    assert metrics.websocket_connections.value() == 3
    del open_now[("polling", "bot")]
    assert samples(metrics)["websocket_connections[]"] == 2


def test_what_somebody_else_counts_is_read_when_asked_for() -> None:
    metrics = Metrics()
    polled: dict[tuple[str, ...], float] = {("GET", "4xx"): 3, ("PUT", "4xx"): 2, ("X", "4xx"): 1}
    metrics.polling_requests.read_from(lambda: polled)
    buckets = [0] * (len(metrics.ping_rtt_seconds.description.buckets) + 1)
    metrics.ping_rtt_seconds.read_from(lambda: (buckets, 0.5))
    buckets[0] = 4

    text = metrics.exposition()

    assert 'pytake_polling_requests_total{method="GET",code_class="4xx"} 3' in text
    assert 'pytake_polling_requests_total{method="other",code_class="4xx"} 3' in text
    assert "pytake_ping_rtt_seconds_count 4" in text
    assert "pytake_ping_rtt_seconds_sum 0.5" in text


def test_a_route_that_is_not_declared_is_other() -> None:
    metrics = Metrics()

    metrics.http_requests.inc("GET", "/invented/{id}", "2xx")
    metrics.http_requests.inc("POST", "/templates", "2xx")

    assert metrics.http_requests.value("other", "other", "2xx") == 2
    assert metrics.undeclared_labels.value() == 0


def test_a_process_without_a_link_does_not_report_it_as_down() -> None:
    metrics = Metrics("api")

    metrics.broker_up.set(0, "publish")

    assert 'pytake_broker_up{link="publish"} 0' in metrics.exposition()
    assert 'pytake_broker_up{link="subscribe"}' not in metrics.exposition()


def test_two_pods_in_one_process_count_apart() -> None:
    here, there = Metrics("gateway"), Metrics("gateway")

    here.holes_healed.inc("gap")

    assert (here.holes_healed.value("gap"), there.holes_healed.value("gap")) == (1, 0)


def test_a_process_lists_its_own_figures_and_whatever_else_it_observed() -> None:
    metrics = Metrics("relay")
    assert "pytake_rooms" not in metrics.exposition()

    metrics.rooms.set(3, "user")

    assert 'pytake_rooms{kind="user"} 3' in metrics.exposition()


def test_names_follow_the_house_rules() -> None:
    for one in Metrics().descriptions:
        seed = one.name in ("websocket_connections", "websocket_events_total")
        assert one.name.startswith("pytake_") or seed, one.name
        assert one.name.endswith("_total") == (one.kind == "counter"), one.name
        assert one.help.endswith("."), one.name
        assert re.fullmatch(r"[a-z_]+", one.name), one.name
        assert not {"user", "user_id", "conversation", "sid", "organization", "address"} & set(
            one.labels
        )


def test_label_sets_are_those_of_the_contract() -> None:
    assert tuple(code.value for code in ErrorCode) == labels.CODES
    assert set(labels.CLIENT_EVENTS) == {*CLIENT_EVENTS, "other"}
    assert set(labels.SERVER_EVENTS) == {*SERVER_EVENTS, "other"}


def test_a_scrape_does_not_stop_the_loop() -> None:
    metrics = Metrics("dev")
    metrics.exposition(open_metrics=True)

    best = min(_seconds_of_a_scrape(metrics) for _ in range(5))

    assert best < 0.01, "1 ms on the machine of record; the loop stands still meanwhile"


def _seconds_of_a_scrape(metrics: Metrics) -> float:
    started = time.perf_counter()
    metrics.exposition(open_metrics=True)
    return time.perf_counter() - started
