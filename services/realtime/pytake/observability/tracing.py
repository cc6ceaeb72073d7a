"""Spans from POST or webhook to the client's receipt, for the few that are sampled.

The decision is taken once, where a request comes in, and travels as the last character
of `traceparent` through the event log and the broker. Everybody else looks at that
character first: what is not sampled never touches OpenTelemetry (an unsampled span
costs 8.5 µs there, more than two deliveries). A step that is over when it is recorded is
handed to the exporter as a finished span: 3 µs instead of the 25 of one that is started.

    with tracing.request("POST /messages", incoming) as traceparent:    # decides
        with tracing.span("store.append", traceparent):                 # follows
            ...

One broadcast is one span `deliver` per pod, *linked* to the publishing span where many
events share it; there is never a span per client.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from pytake.observability.trace_context import (
    accepted_traceparent,
    is_sampled,
    new_traceparent,
    trace_id_of,
    using_traceparent,
)

ATTRIBUTES = frozenset(
    {
        "messaging.system",
        "messaging.operation.name",
        "messaging.batch.message_count",
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "pytake.event",
        "pytake.conversation_id",
        "pytake.seq",
        "pytake.members",
        "pytake.path",
        "pytake.code",
        "pytake.pod",
    }
)
"""The names a span may carry. None of them holds what a person wrote or a phone number."""

MAX_ATTRIBUTE_LENGTH = 128
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_SCOPE = InstrumentationScope("pytake")
_UNSET = Status()
Attributes = Mapping[str, str | int | float | bool]


class Tracing:
    """The tracer of one process; without an endpoint it only hands out trace ids.

    Args:
        processor: Where finished spans go; None: tracing is off.
        ratio: Share of requests that are sampled.
        component: The service's name is `pytake-<component>`.
    """

    def __init__(
        self,
        processor: SpanProcessor | None = None,
        *,
        ratio: float = 0.0,
        component: str = "dev",
        version: str = "",
        dice: random.Random | None = None,
    ) -> None:
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None
        self._processor = processor
        self._ratio = ratio if processor is not None else 0.0
        self._dice = dice or random.Random()  # noqa: S311 - chooses samples, no secrets
        if processor is not None:
            resource = Resource.create(
                {"service.name": f"pytake-{component}", "service.version": version}
            )
            self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._provider.add_span_processor(processor)
            self._tracer = self._provider.get_tracer("pytake")

    @classmethod
    def to_collector(
        cls, endpoint: str, *, ratio: float, component: str, version: str = ""
    ) -> Self:
        """Export over OTLP/HTTP; an empty endpoint turns tracing off."""
        if not endpoint:
            return cls()
        # Imported here: the exporter brings `requests`, which nobody needs while it is off.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        address = endpoint.rstrip("/")
        if not address.endswith("/v1/traces"):
            address += "/v1/traces"
        exporter = OTLPSpanExporter(endpoint=address)
        return cls(BatchSpanProcessor(exporter), ratio=ratio, component=component, version=version)

    @property
    def is_on(self) -> bool:
        return self._tracer is not None

    @contextmanager
    def request(
        self,
        name: str,
        incoming: str | None = None,
        *,
        attributes: Attributes | None = None,
        outcome: Callable[[], tuple[str, Attributes]] | None = None,
    ) -> Iterator[str]:
        """Begin at the edge: continue the caller's trace or start one, and decide on sampling.

        The caller's own flag is not obeyed: it comes from outside, and would let anybody
        have everything recorded. Yields the context to pass on.

        Args:
            outcome: Asked at the end of a sampled request for its name and attributes: the
                route is known only after the router has run.
        """
        parent = accepted_traceparent(incoming)
        if self._tracer is None or self._dice.random() >= self._ratio:
            unsampled = f"{parent[:53]}00" if parent else new_traceparent()
            with using_traceparent(unsampled):
                yield unsampled
            return
        context = _context_of(parent) if parent else Context()
        span = self._tracer.start_span(name, context, SpanKind.SERVER)
        try:
            with self._running(span, attributes, ends=False) as traceparent:
                yield traceparent
        finally:
            if outcome is not None:
                final_name, found = outcome()
                span.update_name(final_name)
                _set_attributes(span, found)
            span.end()

    @contextmanager
    def span(
        self,
        name: str,
        parent: str | None,
        *,
        links: Sequence[str] = (),
        attributes: Attributes | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Iterator[str]:
        """Record a step of a sampled trace; yields the context to pass on."""
        if self._tracer is None or not is_sampled(parent):
            yield parent or ""
            return
        span = self._tracer.start_span(name, _context_of(parent), kind, links=_links(links))
        with self._running(span, attributes) as traceparent:
            yield traceparent

    def record(
        self,
        name: str,
        parent: str | None,
        *,
        seconds: float,
        links: Sequence[str] = (),
        attributes: Attributes | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        ended_at: float | None = None,
    ) -> str:
        """Record a step that took so long and ended just now, or at a time; returns its context.

        For the fan-out and for receipts: nothing is opened before the work is done.
        """
        if self._processor is None or self._provider is None or not is_sampled(parent):
            return parent or ""
        end = time.time_ns() if ended_at is None else int(ended_at * 1e9)
        above = _span_context(parent or "")
        own = SpanContext(above.trace_id, self._dice.getrandbits(64) | 1, False, _SAMPLED)
        span = ReadableSpan(
            name,
            own,
            above,
            self._provider.resource,
            dict(_allowed(attributes)),
            links=_links(links),
            kind=kind,
            status=_UNSET,
            start_time=end - int(seconds * 1e9),
            end_time=end,
            instrumentation_scope=_SCOPE,
        )
        self._processor.on_end(span)
        return _traceparent_of(own)

    @contextmanager
    def _running(
        self, span: Span, attributes: Attributes | None, *, ends: bool = True
    ) -> Iterator[str]:
        _set_attributes(span, attributes)
        traceparent = _traceparent_of(span.get_span_context())
        try:
            with using_traceparent(traceparent):
                yield traceparent
        except BaseException as error:
            # The class alone: texts of exceptions may quote what people wrote.
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            if ends:
                span.end()

    def close(self) -> None:
        """Send what is left, within the exporter's own deadline. Blocks: call it in a thread."""
        if self._provider is not None:
            self._provider.shutdown()


def _context_of(traceparent: str | None) -> Context:
    return set_span_in_context(NonRecordingSpan(_span_context(traceparent or "")), Context())


def _span_context(traceparent: str) -> SpanContext:
    return SpanContext(
        trace_id=int(trace_id_of(traceparent), 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=_SAMPLED,
    )


def _links(traceparents: Sequence[str]) -> list[Link]:
    return [Link(_span_context(one)) for one in traceparents if is_sampled(one)]


def _set_attributes(span: Span, attributes: Attributes | None) -> None:
    for name, value in _allowed(attributes):
        span.set_attribute(name, value)


def _allowed(attributes: Attributes | None) -> Iterator[tuple[str, str | int | float | bool]]:
    """Yield the declared attributes, texts cut short."""
    for name, value in (attributes or {}).items():
        if name in ATTRIBUTES:
            yield name, value[:MAX_ATTRIBUTE_LENGTH] if isinstance(value, str) else value


def _traceparent_of(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
