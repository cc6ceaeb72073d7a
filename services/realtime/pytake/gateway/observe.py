"""Counts what goes out and how long it took, at the price of an addition.

A broadcast to a thousand members is one observation of a thousand. One broadcast in
sixteen, and every one whose trace is sampled, is followed further, but not more than ten
a second: one member with the feature `receipts` gets it in a frame that asks for an
acknowledgement, and its answer closes the account of the stages on the way. Reading an
answer costs as much as ten deliveries, so a busy pod asks for the same number as a quiet one;
the same holds for traces, of which one costs as much as thirty.
"""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from opentelemetry.trace import SpanKind

from pytake.contract.client_events import MessageReceipt
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId
from pytake.gateway.connection import RECEIPTS, Connection
from pytake.observability.instruments import OTHER
from pytake.observability.labels import DELIVERED_EVENTS
from pytake.observability.metrics import Metrics
from pytake.observability.registry import SECONDS
from pytake.observability.trace_context import is_sampled, trace_id_of
from pytake.observability.tracing import Tracing

FOLLOW_ONE_IN = 16
RECEIPT_SECONDS = 5.0
LOOK_AT_MOST = 64
"""How many members are asked for the feature: a room of thousands without it costs no more."""

MAX_FOLLOWED_PER_SECOND = 10
MAX_FOLLOWED_AT_ONCE = 5
MAX_TRACED_PER_SECOND = 50
"""What is sampled beyond is counted like all else, and has no span of this pod."""


class Allowance:
    """So many a second, and as many as that at once, unless told otherwise."""

    __slots__ = ("_at_once", "_clock", "_left", "_per_second", "_topped_up_at")

    def __init__(
        self, per_second: float, clock: Callable[[], float], *, at_once: float | None = None
    ) -> None:
        self._per_second = per_second
        self._at_once = at_once or per_second
        self._clock = clock
        self._left = self._at_once
        self._topped_up_at = clock()

    def take(self) -> bool:
        """Whether there is one left; it is taken then."""
        now = self._clock()
        earned = max(0.0, now - self._topped_up_at) * self._per_second
        self._left = min(self._at_once, self._left + earned)
        self._topped_up_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(slots=True)
class Followed:
    """A broadcast on its way to one client, with the moments it passed."""

    event: ConversationEvent
    connection: Connection
    stages: tuple[float, float, float]
    written_at: float
    traceparent: str
    timer: asyncio.TimerHandle


Key = tuple[ConversationId, int]


class Deliveries:
    """Observes durable events written to clients, and follows some to their receipts.

    Args:
        metrics: The figures of the process.
        tracing: Where the spans of sampled events go.
        path: `remote` where another process stored the event, `local` in `pytake dev`.
        clock: The time of day in seconds, as the commit was stamped.
    """

    def __init__(
        self,
        metrics: Metrics,
        tracing: Tracing | None = None,
        path: str = "remote",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._metrics = metrics
        self._tracing = tracing or Tracing()
        self._clock = clock
        self._followed: dict[Key, Followed] = {}
        self._until_next = FOLLOW_ONE_IN
        self._may_follow = Allowance(MAX_FOLLOWED_PER_SECOND, clock, at_once=MAX_FOLLOWED_AT_ONCE)
        self._may_trace = Allowance(MAX_TRACED_PER_SECOND, clock)
        # Looked up once: these two are added to for every broadcast.
        self._cells = {
            name: (
                metrics.events_sent.cell(name),
                metrics.message_delivery_seconds.cell(name, path),
            )
            for name in DELIVERED_EVENTS
        }
        self._other = self._cells[OTHER]

    def __call__(self, event: ConversationEvent, reached: int, kind: str) -> None:
        """Count one event that was written to so many connections.

        Written out in one piece: it runs for every broadcast, and each call would cost as
        much as the additions that it is about.
        """
        if reached == 0:
            return
        sent, cell = self._cells.get(event.name, self._other)
        sent.value += reached
        if kind == "replay":
            self._metrics.recovered_messages.inc(amount=reached)
            return
        seconds = self._clock() - (event.committed_at or event.created_at.timestamp())
        traceparent = event.traceparent
        if seconds < 0 or (traceparent is not None and traceparent[-1] == "1"):
            self._observe_slowly(event, event.name, reached, seconds)
            return
        cell.counts[bisect_left(SECONDS, seconds)] += reached
        cell.sum += seconds * reached

    def batch(self, name: str, events: list[ConversationEvent], reached: int) -> None:
        """Count statuses that were collected and written as one event; the oldest counts."""
        self._metrics.status_batch_size.observe(len(events))
        if reached:
            self._cells[name][0].value += reached
            seconds = self._clock() - events[0].created_at.timestamp()
            self._observe_slowly(events[0], name, reached, seconds, links=events[1:])

    def _observe_slowly(
        self,
        event: ConversationEvent,
        name: str,
        reached: int,
        seconds: float,
        links: Iterable[ConversationEvent] = (),
    ) -> None:
        """Observe what is seldom: sampled traces, batches, clocks that disagree."""
        if seconds < 0:
            self._metrics.clock_skew.inc()
            seconds = 0.0
        cell = self._cells.get(name, self._other)[1]
        if not is_sampled(event.traceparent) or not self._may_trace.take():
            cell.observe(seconds, reached)
            return
        cell.observe_traced(seconds, trace_id_of(event.traceparent), reached)
        if event.received_at and event.published_at:
            self._tracing.record(
                "broker.receive",
                event.traceparent,
                seconds=max(0.0, event.received_at - event.published_at),
                kind=SpanKind.CONSUMER,
                ended_at=event.received_at,
            )
        self._tracing.record(
            f"deliver {name}",
            event.traceparent,
            seconds=seconds,
            links=[each.traceparent for each in links if each.traceparent],
            attributes={
                "pytake.conversation_id": event.conversation_id,
                "pytake.seq": event.seq,
                "pytake.members": reached,
            },
        )

    # --- receipts -------------------------------------------------------------------------

    def to_ask(self, event: ConversationEvent, members: Iterable[Connection]) -> Connection | None:
        """Return the member that is asked to confirm this broadcast; mostly nobody."""
        self._until_next -= 1
        traceparent = event.traceparent
        if self._until_next > 0 and (traceparent is None or traceparent[-1] != "1"):
            return None
        if self._until_next <= 0:
            self._until_next = FOLLOW_ONE_IN
        if not self._may_follow.take():
            return None
        for member in islice(members, LOOK_AT_MOST):
            if RECEIPTS in member.features and member.outlet is not None:
                return member
        return None

    def asked(self, event: ConversationEvent, connection: Connection) -> None:
        """Begin to wait: the broadcast was just written to the member that is asked."""
        now = self._clock()
        created = event.created_at.timestamp()
        published = min(max(event.published_at or created, created), now)
        received = min(max(event.received_at or published, published), now)
        if now - created > RECEIPT_SECONDS:
            # Late before it was written: from the store where it never came by the broker.
            self._metrics.sampled_events.inc()
            self._metrics.unconfirmed_events.inc("received" if event.received_at else "published")
            return
        key = (event.conversation_id, event.seq)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(RECEIPT_SECONDS, self._give_up, key)
        stages = (created, published, received)
        self._followed[key] = Followed(
            event, connection, stages, now, event.traceparent or "", timer
        )

    def confirmed(self, event: ConversationEvent) -> None:
        """The member that was asked has acknowledged the event."""
        followed = self._followed.pop((event.conversation_id, event.seq), None)
        if followed is not None:
            self._close(followed)

    def on_receipt(self, connection: Connection, receipt: MessageReceipt) -> None:
        """Take a client's own confirmations; its clock is not ours and not trusted, so the
        moment that counts is the arrival."""
        for item in receipt.items:
            key = (ConversationId(item.conversation_id), item.seq)
            followed = self._followed.get(key)
            if followed is not None and followed.connection is connection:
                del self._followed[key]
                self._close(followed)

    def _close(self, followed: Followed) -> None:
        followed.timer.cancel()
        self._metrics.sampled_events.inc()
        now = self._clock()
        created, published, received = followed.stages
        written = followed.written_at
        parts = (published - created, received - published, written - received, now - written)
        for stage, seconds in zip(("publish", "broker", "write", "receipt"), parts, strict=True):
            self._metrics.delivery_stage_seconds.observe(max(0.0, seconds), stage)
        cell = self._metrics.message_receipt_seconds.cell(followed.event.name)
        seconds = max(0.0, now - created)
        if not is_sampled(followed.traceparent):
            cell.observe(seconds)
            return
        cell.observe_traced(seconds, trace_id_of(followed.traceparent))
        self._tracing.record(
            "receipt",
            followed.traceparent,
            seconds=now - written,
            attributes={"pytake.seq": followed.event.seq, "pytake.event": followed.event.name},
        )

    def _give_up(self, key: Key) -> None:
        followed = self._followed.pop(key, None)
        # Who left before it could answer says nothing about our way to it.
        if followed is not None and followed.connection.is_open:
            self._metrics.sampled_events.inc()
            self._metrics.unconfirmed_events.inc("written")

    def stop(self) -> None:
        """Wait for nobody any more."""
        for followed in self._followed.values():
            followed.timer.cancel()
        self._followed.clear()
