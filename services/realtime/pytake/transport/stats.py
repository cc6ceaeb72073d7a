"""Plain integers that say what the transport does.

Counting must not cost anything on the hot path, so nothing here locks, labels or
observes: a broadcast adds its N deliveries with one addition. Whoever exports
metrics reads the attributes when it is asked for them.
"""

from collections import Counter
from collections.abc import Callable

# Upper bounds of the ping round-trip histogram, in seconds. The last bucket is open.
RTT_BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class TransportStats:
    """Counters of one server. All of them only grow, except the three gauges.

    Gauges: `connections`, `buffered_bytes` (a frame shared by many connections
    counts once) and `slow_connections` (those with something buffered).
    """

    def __init__(self) -> None:
        self.connections = 0
        self.buffered_bytes = 0
        self.slow_connections = 0
        # By transport: "websocket" or "polling".
        self.opened: Counter[str] = Counter()
        self.frames_in: Counter[str] = Counter()
        self.bytes_in: Counter[str] = Counter()
        self.broadcasts = 0
        self.frames_out = 0
        self.bytes_out = 0
        self.polling_packets_out = 0
        self.polling_bytes_out = 0
        self.compressed_frames = 0
        self.compressed_bytes_saved = 0
        self.shed_frames = 0
        self.oversized_events = 0
        self.upgrades = 0
        self.failed_upgrades = 0
        self.unknown_sessions = 0
        # Told of each handshake that is refused for its origin or its form.
        self.on_refused: Callable[[str], None] = lambda reason: None
        self.refused_handshakes = 0
        self.handler_errors = 0
        # (method, status) of requests on the polling transport.
        self.polling_requests: Counter[tuple[str, int]] = Counter()
        self.closed: Counter[str] = Counter()
        self.ping_rtt_buckets = [0] * (len(RTT_BOUNDS_SECONDS) + 1)
        self.ping_rtt_sum_seconds = 0.0
        self.ping_rtt_count = 0

    def observe_ping_rtt(self, seconds: float) -> None:
        """Put one round trip into its bucket (buckets are not cumulative)."""
        index = 0
        for bound in RTT_BOUNDS_SECONDS:
            if seconds <= bound:
                break
            index += 1
        self.ping_rtt_buckets[index] += 1
        self.ping_rtt_sum_seconds += seconds
        self.ping_rtt_count += 1
