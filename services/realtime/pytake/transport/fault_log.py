"""One log line a reason for clients that break the rules, however many there are."""

import logging
import time

logger = logging.getLogger("pytake.transport")

QUIET_SECONDS = 10.0
# Reasons for which a connection is closed because of what its client did.
FAULTS = frozenset(
    {"parse error", "payload too large", "duplicate poll", "slow_consumer", "connect timeout"}
)


class FaultLog:
    """Logs the first fault of each reason at once, and then at most one line in ten
    seconds that says how many there were. The counters have them all."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}
        self._unreported: dict[str, int] = {}

    def report(self, reason: str, sid: str) -> None:
        if reason not in FAULTS:
            return
        count = self._unreported.get(reason, 0) + 1
        now = time.monotonic()
        if now < self._next.get(reason, 0.0):
            self._unreported[reason] = count
            return
        self._next[reason] = now + QUIET_SECONDS
        self._unreported[reason] = 0
        logger.warning("closed %d connections, the last %s: %s", count, sid, reason)
