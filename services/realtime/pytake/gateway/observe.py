"""Counts what goes out and how long it took, at the price of an addition."""

import time
from collections.abc import Mapping

from pytake.contract.client_events import MessageReceipt
from pytake.domain.events import ConversationEvent
from pytake.gateway.connection import Connection
from pytake.observability.metrics import Metrics


class Deliveries:
    """Observes durable events written to clients.

    Args:
        metrics: The figures of the process.
        path: `remote` where another process stored the event, `local` in `pytake dev`.
    """

    def __init__(self, metrics: Metrics, path: str = "remote") -> None:
        self._metrics = metrics
        self._path = path
        self._sent: Mapping[str, object] = {}

    def __call__(self, event: ConversationEvent, reached: int, kind: str) -> None:
        """Count one event that was written to so many connections."""
        if reached == 0:
            return
        self._metrics.events_sent.inc(event.name, amount=reached)
        if kind == "replay":
            self._metrics.recovered_messages.inc(amount=reached)
            return
        seconds = time.time() - event.created_at.timestamp()
        if seconds < 0:
            self._metrics.clock_skew.inc()
            seconds = 0.0
        self._metrics.message_delivery_seconds.observe(
            seconds, event.name, self._path, count=reached
        )

    def on_receipt(self, connection: Connection, receipt: MessageReceipt) -> None:
        """Count what a client says to have shown; its clock is not ours and not trusted."""
