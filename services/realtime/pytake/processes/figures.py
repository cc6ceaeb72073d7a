"""What every process shows of its neighbours: store, broker, logs."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from opentelemetry.trace import SpanKind

from pytake.application.ports import Committed, EventPublisher
from pytake.broker.redis import RedisCommands, RedisEventFeed
from pytake.domain.events import ConversationEvent
from pytake.observability import logs
from pytake.observability.metrics import Metrics
from pytake.observability.timed_port import Timing, timed
from pytake.observability.trace_context import current_traceparent, is_sampled
from pytake.observability.tracing import Tracing
from pytake.store import Store

_OF_CONVERSATIONS = {
    "open_conversation": "write",
    "change_conversation": "write",
    "mark_read": "write",
    "report_status": "write",
    "append_message": "write",
    "receive_message": "write",
    "conversation": "read",
    "conversations": "read",
    "messages": "read",
    "message": "read",
}
_OF_EVENT_LOG = {
    "access": "access",
    "heads": "heads",
    "replay": "replay",
    "oldest_kept": "replay",
}
_OF_OUTBOX = {"advance": "outbox", "depth": "outbox"}
_OF_INBOX = {"append": "inbox", "pending": "inbox", "done": "inbox", "depth": "inbox"}
_OF_USERS = {"ensure_principal": "other", "users": "other", "user": "other"}


def count_log_lines(metrics: Metrics) -> None:
    """Count every line that is logged from now on, and those left out."""
    logs.count_lines(metrics.log_lines.inc, metrics.log_lines_suppressed.inc)


def watch_store(store: Store, metrics: Metrics, tracing: Tracing | None = None) -> None:
    """Time what the store is asked from now on, trace it, and count what it stores."""
    tracing = tracing or Tracing()
    counted: dict[str, Callable[[Any], None]] = {
        "append_message": lambda result: _count_message(metrics, "outbound", result),
        "receive_message": lambda result: _count_message(metrics, "inbound", result),
        "report_status": lambda result: _count_status(metrics, result),
    }

    def timings(operations: dict[str, str]) -> dict[str, Timing]:
        return {
            method: Timing(
                metrics.store_duration_seconds.cell(operation),
                on_result=counted.get(method, lambda result: None),
                on_error=metrics.store_errors.cell(operation).inc,
                span=partial(_span, tracing, f"store.{method}"),
            )
            for method, operation in operations.items()
        }

    store.conversations = timed(store.conversations, timings(_OF_CONVERSATIONS))
    store.event_log = timed(store.event_log, timings(_OF_EVENT_LOG))
    store.outbox = timed(store.outbox, timings(_OF_OUTBOX))
    store.webhooks = timed(store.webhooks, timings(_OF_INBOX))
    store.users = timed(store.users, timings(_OF_USERS))
    metrics.store_pool_connections.read_from(
        lambda: dict(zip((("used",), ("idle",)), store.pool_figures(), strict=True))
    )


def _count_message(metrics: Metrics, direction: str, committed: Committed) -> None:
    if committed.is_new and committed.message is not None:
        metrics.messages_stored.inc(direction)


def _count_status(metrics: Metrics, committed: Committed | None) -> None:
    if committed is not None and committed.events and committed.message is not None:
        metrics.message_statuses.inc(committed.message.status.value)


def _span(tracing: Tracing, name: str, seconds: float) -> None:
    tracing.record(name, current_traceparent(), seconds=seconds)


def timed_publisher(
    publisher: EventPublisher, metrics: Metrics, tracing: Tracing | None = None
) -> EventPublisher:
    """Return the publisher, timed and traced."""
    cells = metrics.broker_publish_duration_seconds
    in_time = timed(publisher, {"publish": Timing(cells.cell("ok"), cells.cell("error"))})
    return _TracedPublisher(in_time, tracing) if tracing and tracing.is_on else in_time


class _TracedPublisher:
    """Records a span for a pipeline with sampled events: in the first one's trace, with
    links to those of the others, whoever publishes (a request, or a relay later on)."""

    def __init__(self, publisher: EventPublisher, tracing: Tracing) -> None:
        self._publisher = publisher
        self._tracing = tracing

    async def publish(self, events: Sequence[ConversationEvent]) -> None:
        began = time.perf_counter()
        await self._publisher.publish(events)
        sampled = [event.traceparent for event in events if is_sampled(event.traceparent)]
        if sampled:
            self._tracing.record(
                "broker.publish",
                sampled[0],
                seconds=time.perf_counter() - began,
                links=[each for each in sampled[1:] if each],
                attributes={"messaging.batch.message_count": len(events)},
                kind=SpanKind.PRODUCER,
            )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._publisher, name)


def show_commands(commands: RedisCommands, metrics: Metrics) -> None:
    """Let the catalogue read the command link of a process without a subscription."""
    metrics.broker_up.read_from(lambda: {("publish",): float(commands.is_up)})
    metrics.broker_reconnects.read_from(lambda: {("publish",): max(0, commands.reconnects - 1)})


def show_feed(commands: RedisCommands, feed: RedisEventFeed, metrics: Metrics) -> None:
    """Let the catalogue read both links of a gateway, and what its canary says."""
    metrics.broker_up.read_from(
        lambda: {
            ("publish",): float(commands.is_up),
            ("subscribe",): float(feed.has_heard and feed.is_connected),
        }
    )
    metrics.broker_reconnects.read_from(
        lambda: {
            ("publish",): max(0, commands.reconnects - 1),
            ("subscribe",): max(0, feed.reconnects - 1),
        }
    )
    metrics.broker_canaries.read_from(
        lambda: {("returned",): feed.canaries_returned, ("missed",): feed.canaries_missed}
    )
    feed.on_lag = metrics.broker_lag_seconds.cell().observe
    feed.on_outage = metrics.broker_outage_seconds.cell().observe
    feed.on_failure = lambda error: metrics.unhandled_errors.inc("task")
    metrics.broker_deaf_seconds.read_from(
        lambda: time.monotonic() - feed.heard_at if commands.is_up and feed.misses else 0.0
    )
    metrics.broker_heartbeat_age_seconds.read_from(lambda: time.monotonic() - feed.relay_heard_at)
    metrics.broker_subscriptions.read_from(lambda: feed.subscriptions)
