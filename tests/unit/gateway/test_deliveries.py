"""What is counted of a broadcast, and how some are followed to the client's receipt."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytake.contract.client_events import MessageReceipt
from pytake.domain.principal import Principal, Role
from pytake.gateway import observe
from pytake.gateway.connection import Connection
from pytake.gateway.observe import (
    FOLLOW_ONE_IN,
    MAX_FOLLOWED_AT_ONCE,
    MAX_FOLLOWED_PER_SECOND,
    MAX_TRACED_PER_SECOND,
    Deliveries,
)
from pytake.observability.metrics import Metrics
from pytake.observability.trace_context import new_traceparent, trace_id_of
from pytake.observability.tracing import Tracing
from pytake.transport.peer import Peer
from unit.gateway.events import A_MOMENT, CONVERSATION, ORGANIZATION, event

COMMITTED = A_MOMENT.timestamp()


class Clock:
    """The time of day, held by the test."""

    def __init__(self) -> None:
        self.now = COMMITTED

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("gateway")


@pytest.fixture
def deliveries(metrics: Metrics, clock: Clock):
    made = Deliveries(metrics, clock=clock)
    yield made
    made.stop()


def connection(*features: str) -> Connection:
    expires = datetime.now(UTC) + timedelta(hours=1)
    principal = Principal("u", ORGANIZATION, Role.AGENT, expires, name="ana")  # type: ignore[arg-type]
    made = Connection("sid", principal, frozenset(features), opened_at=0)
    made.outlet = Peer("sid")
    return made


def test_a_broadcast_is_one_observation_of_all_who_got_it(metrics, deliveries, clock) -> None:
    clock.now = COMMITTED + 0.03

    deliveries(event(1), 1000, "live")

    cell = metrics.message_delivery_seconds.cell("message:new", "remote")
    assert (cell.count, round(cell.sum, 3)) == (1000, 30.0)
    assert metrics.events_sent.value("message:new") == 1000


@pytest.mark.parametrize(
    "traceparent", [None, new_traceparent(sample_ratio=1)], ids=["untraced", "traced"]
)
def test_an_event_of_the_next_version_is_counted_as_other(
    metrics, deliveries, clock, traceparent
) -> None:
    clock.now = COMMITTED + 0.03

    deliveries(replace(event(1, name="poll:new"), traceparent=traceparent), 5, "live")

    assert metrics.message_delivery_seconds.cell("other", "remote").count == 5
    assert metrics.events_sent.value("other") == 5
    assert metrics.undeclared_labels.value() == 0


def test_a_replay_is_no_delivery_in_time(metrics, deliveries, clock) -> None:
    clock.now = COMMITTED + 3600

    deliveries(event(1), 1, "replay")

    assert metrics.message_delivery_seconds.cell("message:new", "remote").count == 0
    assert metrics.recovered_messages.value() == 1


def test_a_clock_that_is_behind_is_counted_and_never_negative(metrics, deliveries, clock) -> None:
    clock.now = COMMITTED - 0.5

    deliveries(event(1), 1, "live")

    assert metrics.message_delivery_seconds.cell("message:new", "remote").sum == 0
    assert metrics.clock_skew.value() == 1


def test_one_broadcast_in_sixteen_asks_one_member_with_the_feature(deliveries) -> None:
    plain, able = connection(), connection("receipts")

    asked = [deliveries.to_ask(event(seq), [plain, able]) for seq in range(1, 49)]

    assert [each for each in asked if each is not None] == [able] * (48 // FOLLOW_ONE_IN)
    assert all(deliveries.to_ask(event(seq), [plain]) is None for seq in range(100))


def test_a_busy_pod_asks_no_more_often_than_ten_times_a_second(deliveries, clock) -> None:
    able = connection("receipts")

    def asked(broadcasts: int) -> int:
        return sum(deliveries.to_ask(event(1), [able]) is able for _ in range(broadcasts))

    assert asked(10_000) == MAX_FOLLOWED_AT_ONCE
    followed = 0
    for _ in range(100):
        clock.now += 0.0101
        followed += asked(100)
    assert followed == MAX_FOLLOWED_PER_SECOND


async def test_the_stages_of_a_confirmed_event_add_up(metrics, deliveries, clock) -> None:
    travelled = replace(event(1), published_at=COMMITTED + 0.004, received_at=COMMITTED + 0.006)
    clock.now = COMMITTED + 0.007
    deliveries.asked(travelled, connection("receipts"))
    clock.now = COMMITTED + 0.050

    deliveries.confirmed(travelled)

    stages = metrics.delivery_stage_seconds
    parts = {name: stages.cell(name).sum for name in ("publish", "broker", "write", "receipt")}
    rounded = {name: round(seconds, 4) for name, seconds in parts.items()}
    assert rounded == {"publish": 0.004, "broker": 0.002, "write": 0.001, "receipt": 0.043}
    assert sum(parts.values()) == pytest.approx(
        metrics.message_receipt_seconds.cell("message:new").sum
    )
    assert metrics.unconfirmed_events.total() == 0


async def test_clocks_that_disagree_cannot_make_a_stage_negative(
    metrics, deliveries, clock
) -> None:
    odd = replace(event(1), published_at=COMMITTED + 9, received_at=COMMITTED - 9)
    clock.now = COMMITTED + 0.01
    deliveries.asked(odd, connection("receipts"))
    clock.now = COMMITTED + 0.02

    deliveries.confirmed(odd)

    stages = metrics.delivery_stage_seconds
    sums = [stages.cell(name).sum for name in ("publish", "broker", "write", "receipt")]
    assert min(sums) >= 0
    assert sum(sums) == pytest.approx(0.02)


async def test_an_event_without_a_receipt_is_counted_with_its_last_stage(
    metrics, deliveries, clock, monkeypatch
) -> None:
    monkeypatch.setattr(observe, "RECEIPT_SECONDS", 0.01)
    deliveries.asked(event(1), connection("receipts"))

    async with asyncio.timeout(5):
        while metrics.unconfirmed_events.total() == 0:
            await asyncio.sleep(0.005)

    assert metrics.unconfirmed_events.value("written") == 1
    deliveries.confirmed(event(1))
    assert metrics.message_receipt_seconds.cell("message:new").count == 0, "too late"


async def test_who_left_before_answering_says_nothing_about_the_way(
    metrics, deliveries, monkeypatch
) -> None:
    monkeypatch.setattr(observe, "RECEIPT_SECONDS", 0.01)
    gone = connection("receipts")
    deliveries.asked(event(1), gone)
    gone.is_open = False

    async with asyncio.timeout(5):
        while deliveries._followed:
            await asyncio.sleep(0.005)

    assert metrics.unconfirmed_events.total() == 0
    assert metrics.sampled_events.value() == 0


async def test_an_event_is_counted_as_sampled_when_its_way_has_ended(metrics, deliveries) -> None:
    """A counter that is taken back looks like a restart to Prometheus."""
    deliveries.asked(event(1), connection("receipts"))
    assert metrics.sampled_events.value() == 0

    deliveries.confirmed(event(1))

    assert metrics.sampled_events.value() == 1


async def test_an_event_that_came_too_late_names_where_it_stopped(
    metrics, deliveries, clock
) -> None:
    clock.now = COMMITTED + 10
    from_the_store = event(1)
    held_in_the_pod = replace(event(2), received_at=COMMITTED + 0.01)

    deliveries.asked(from_the_store, connection("receipts"))
    deliveries.asked(held_in_the_pod, connection("receipts"))

    assert metrics.unconfirmed_events.value("published") == 1
    assert metrics.unconfirmed_events.value("received") == 1


async def test_a_clients_own_confirmation_counts_at_its_arrival(metrics, deliveries, clock) -> None:
    mine, stranger = connection("receipts"), connection("receipts")
    deliveries.asked(event(1), mine)
    clock.now = COMMITTED + 0.2
    items = [{"conversation_id": CONVERSATION, "seq": seq} for seq in (1, 2)]
    receipt = MessageReceipt.model_validate({"items": items, "t": -1e18})

    deliveries.on_receipt(stranger, receipt)
    assert metrics.message_receipt_seconds.cell("message:new").count == 0
    deliveries.on_receipt(mine, receipt)
    deliveries.on_receipt(mine, receipt)

    cell = metrics.message_receipt_seconds.cell("message:new")
    assert (cell.count, round(cell.sum, 3)) == (1, 0.2)


async def test_a_sampled_trace_is_followed_to_the_receipt(metrics, clock) -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing(SimpleSpanProcessor(exporter), ratio=1.0)
    deliveries = Deliveries(metrics, tracing, clock=clock)
    traced = replace(event(1), traceparent=new_traceparent(sample_ratio=1))
    able = connection("receipts")

    assert deliveries.to_ask(traced, [able]) is able, "every sampled one, not one in sixteen"
    deliveries(traced, 3, "live")
    deliveries.asked(traced, able)
    deliveries.confirmed(traced)

    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert spans.keys() == {"deliver message:new", "receipt"}
    for span in spans.values():
        assert span.context is not None
        assert f"{span.context.trace_id:032x}" == trace_id_of(traced.traceparent)
    assert dict(spans["deliver message:new"].attributes or {})["pytake.members"] == 3


def test_a_busy_pod_records_no_more_spans_than_a_quiet_one(metrics, clock) -> None:
    exporter = InMemorySpanExporter()
    deliveries = Deliveries(metrics, Tracing(SimpleSpanProcessor(exporter), ratio=1.0), clock=clock)
    traced = replace(event(1), traceparent=new_traceparent(sample_ratio=1))

    for _ in range(10_000):
        deliveries(traced, 2, "live")

    assert len(exporter.get_finished_spans()) == MAX_TRACED_PER_SECOND
    assert metrics.message_delivery_seconds.cell("message:new", "remote").count == 20_000
