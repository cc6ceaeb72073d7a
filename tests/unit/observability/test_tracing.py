"""Traces: decided once, carried in a string, nothing recorded for what is not sampled."""

import random

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytake.observability.trace_context import (
    accepted_traceparent,
    current_trace_id,
    is_sampled,
    new_traceparent,
    trace_id_of,
)
from pytake.observability.tracing import MAX_ATTRIBUTE_LENGTH, Tracing

INCOMING = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Tracing:
    return Tracing(SimpleSpanProcessor(exporter), ratio=1.0, component="api")


def test_steps_of_one_request_are_one_trace(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    with tracing.request("POST /messages") as request, tracing.span("store.append", request):
        assert current_trace_id() == trace_id_of(request)
    tracing.record("deliver", request, seconds=0.01, attributes={"pytake.members": 3})

    spans = {span.name: span for span in exporter.get_finished_spans()}
    root = spans["POST /messages"]
    assert root.parent is None
    assert root.context is not None
    for child in (spans["store.append"], spans["deliver"]):
        assert child.context.trace_id == root.context.trace_id
        assert child.parent is not None
        assert child.parent.span_id == root.context.span_id
    assert _nanoseconds_of(spans["deliver"]) == 10_000_000


def test_a_request_is_named_by_its_route_once_that_is_known(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    with tracing.request(
        "POST", outcome=lambda: ("POST /messages", {"http.response.status_code": 201})
    ):
        pass

    (span,) = exporter.get_finished_spans()
    assert span.name == "POST /messages"
    assert dict(span.attributes or {}) == {"http.response.status_code": 201}


def test_the_callers_trace_is_continued(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    with tracing.request("POST /messages", INCOMING) as request:
        assert trace_id_of(request) == trace_id_of(INCOMING)

    (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"


def test_a_caller_cannot_have_everything_recorded(exporter: InMemorySpanExporter) -> None:
    tracing = Tracing(SimpleSpanProcessor(exporter), ratio=0.02, dice=random.Random(1))

    for _ in range(1000):
        with tracing.request("POST /messages", INCOMING) as request:
            assert trace_id_of(request) == trace_id_of(INCOMING)

    assert 5 <= len(exporter.get_finished_spans()) <= 45


def test_what_is_not_sampled_has_a_trace_id_and_no_span(exporter: InMemorySpanExporter) -> None:
    tracing = Tracing(SimpleSpanProcessor(exporter), ratio=0.0)

    with tracing.request("POST /messages") as request, tracing.span("store", request) as child:
        assert len(trace_id_of(request)) == 32
        assert child == request
        assert not is_sampled(request)
    tracing.record("deliver", request, seconds=1)

    assert exporter.get_finished_spans() == ()


def test_without_an_endpoint_there_is_no_tracer() -> None:
    tracing = Tracing.to_collector("", ratio=1.0, component="api")

    assert not tracing.is_on
    with tracing.request("POST /messages") as request:
        assert trace_id_of(request)
        assert not is_sampled(request)


@pytest.mark.parametrize(
    "hostile",
    [
        None,
        "",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        INCOMING.upper(),
        INCOMING + "\n",
        INCOMING + "-extra",
        "x" * 100_000,
    ],
)
def test_a_malformed_context_is_dropped(hostile: str | None, tracing: Tracing) -> None:
    assert accepted_traceparent(hostile) == ""
    with tracing.request("POST /messages", hostile) as request:
        assert accepted_traceparent(request) == request


def test_many_events_of_one_fan_out_are_linked(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    one, two = INCOMING, new_traceparent(sample_ratio=1)
    tracing.record("deliver", one, seconds=0.001, links=[two, new_traceparent()])

    (span,) = exporter.get_finished_spans()
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [trace_id_of(two)]


def test_a_span_carries_declared_attributes_only_and_no_text_of_an_exception(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    with (
        pytest.raises(ValueError, match="oi"),
        tracing.request(
            "POST", attributes={"text": "oi", "pytake.event": "x" * 5000, "pytake.seq": 7}
        ),
    ):
        raise ValueError("oi, meu CPF")

    (span,) = exporter.get_finished_spans()
    assert dict(span.attributes or {}) == {
        "pytake.event": "x" * MAX_ATTRIBUTE_LENGTH,
        "pytake.seq": 7,
    }
    assert span.status.description == "ValueError"
    assert span.events == ()


def _nanoseconds_of(span: ReadableSpan) -> int:
    return (span.end_time or 0) - (span.start_time or 0)
