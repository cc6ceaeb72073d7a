"""A page with the live figures of one pod, as text and sparklines, for people without Grafana."""

import asyncio
import html
import time
from collections import deque
from collections.abc import Callable, Sequence

from pytake.observability.instruments import Histogram
from pytake.observability.metrics import Metrics

KEEP = 120
EVERY_SECONDS = 1.0
REFRESH_SECONDS = 2
_BARS = "▁▂▃▄▅▆▇█"

Figure = Callable[[], float]


class StatusPage:
    """Remembers two minutes of a few figures, a sample a second.

    Args:
        metrics: The figures of the process.
        reasons: Why it is not ready, by check.
    """

    def __init__(self, metrics: Metrics, reasons: Callable[[], dict[str, str]]) -> None:
        self._metrics = metrics
        self._reasons = reasons
        self._started = time.monotonic()
        self._last: dict[str, float] = {}
        self._lines = _lines_of(metrics)
        self._history: dict[str, deque[float]] = {
            name: deque(maxlen=KEEP) for name, _, _ in self._lines
        }

    async def run(self) -> None:
        """Sample once a second until cancelled."""
        while True:
            self.sample()
            await asyncio.sleep(EVERY_SECONDS)

    def sample(self) -> None:
        """Take one sample of every figure."""
        for name, figure, is_rate in self._lines:
            now = figure()
            value = max(0.0, now - self._last.get(name, now)) if is_rate else now
            self._last[name] = now
            self._history[name].append(value)

    def text(self) -> str:
        """Return the figures as text."""
        reasons = self._reasons()
        state = (
            "ready"
            if not reasons
            else "NOT READY: " + ", ".join(f"{name} ({reason})" for name, reason in reasons.items())
        )
        minutes = (time.monotonic() - self._started) / 60
        head = f"pytake {self._metrics.component}   {state}   up {minutes:.0f} min"
        rows = [
            f"{name:<28} {values[-1] if values else 0:>12.4g}  {sparkline(values)}"
            for name, values in self._history.items()
        ]
        return "\n".join([head, "", *rows, "", "a column is a second; /metrics has everything"])

    def page(self) -> bytes:
        """Return the page, which renews itself."""
        title = f"pytake {self._metrics.component}"
        return (
            "<!doctype html><html lang=en><meta charset=utf-8>"
            f"<meta http-equiv=refresh content={REFRESH_SECONDS}><title>{title}</title>"
            "<style>body{background:#111;color:#ddd;font:14px/1.5 monospace;margin:2em}</style>"
            f"<pre>{html.escape(self.text())}</pre></html>"
        ).encode()


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Return the newest values as bars, the highest of them full."""
    shown = list(values)[-width:]
    top = max(shown, default=0)
    if top <= 0:
        return _BARS[0] * len(shown)
    return "".join(_BARS[min(7, int(value / top * 7.999))] for value in shown)


def _lines_of(metrics: Metrics) -> list[tuple[str, Figure, bool]]:
    gateway: list[tuple[str, Figure, bool]] = [
        ("connections", metrics.connections.total, False),
        ("users", metrics.users.total, False),
        ("opened /s", metrics.connections_opened.total, True),
        ("closed /s", metrics.connections_closed.total, True),
        ("refused handshakes /s", metrics.connections_rejected.total, True),
        ("events from clients /s", metrics.websocket_events.total, True),
        ("events to clients /s", metrics.events_sent.total, True),
        ("delivery ms", _mean_since_last(metrics.message_delivery_seconds), False),
        ("errors to clients /s", metrics.event_errors.total, True),
        ("bytes waiting", metrics.send_buffer_bytes.total, False),
        ("holes healed /s", metrics.holes_healed.total, True),
    ]
    http: list[tuple[str, Figure, bool]] = [
        ("requests /s", metrics.http_requests.total, True),
        ("refused requests /s", metrics.http_errors.total, True),
        ("messages stored /s", metrics.messages_stored.total, True),
    ]
    relay: list[tuple[str, Figure, bool]] = [
        ("outbox waiting", metrics.outbox_pending.total, False),
        ("webhooks waiting", metrics.webhook_backlog.total, False),
        ("messages to send", metrics.sender_pending.total, False),
        ("sent to WhatsApp /s", metrics.sender_requests.total, True),
    ]
    every: list[tuple[str, Figure, bool]] = [
        ("loop lag ms", _mean_since_last(metrics.event_loop_lag_seconds), False),
        ("database errors /s", metrics.store_errors.total, True),
        ("log lines /s", metrics.log_lines.total, True),
    ]
    own = {"gateway": gateway, "api": http, "relay": relay, "dev": gateway + http + relay}
    return own[metrics.component] + every


def _mean_since_last(histogram: Histogram) -> Figure:
    seen = [0.0, 0.0]

    def mean() -> float:
        cells = [cell for _, cell in histogram.cells()]
        total, count = sum(cell.sum for cell in cells), float(sum(cell.count for cell in cells))
        average = (total - seen[0]) / (count - seen[1]) if count > seen[1] else 0.0
        seen[:] = total, count
        return average * 1000

    return mean
