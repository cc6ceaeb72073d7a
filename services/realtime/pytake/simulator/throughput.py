"""Meta's limits: messages a second of a number, and messages to one customer."""

from collections.abc import Hashable
from dataclasses import dataclass

from pytake.simulator.world import Customer, Number, World


class GraphRefusal(Exception):
    """An error in Meta's envelope."""

    def __init__(self, code: int, details: str, http_status: int = 400) -> None:
        self.code, self.details, self.http_status = code, details, http_status
        super().__init__(details)


@dataclass(slots=True)
class _Bucket:
    """A bucket that fills by itself; `tokens` at the moment `at`."""

    tokens: float
    at: float


class Throughput:
    """Refuses what is too fast with 130429 (number) or 131056 (pair); counts attempts.

    Args:
        per_second: 80 for a usual number; None for no limits at all.
    """

    def __init__(
        self,
        world: World,
        *,
        per_second: float | None = 80.0,
        pair_seconds: float = 6.0,
        pair_burst: int = 45,
    ) -> None:
        self._world = world
        self._per_second = per_second
        self._pair_seconds = pair_seconds
        self._pair_burst = pair_burst
        self._numbers: dict[Hashable, _Bucket] = {}
        self._pairs: dict[Hashable, _Bucket] = {}
        self._attempts: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._to_customer: dict[str, int] = {}

    def take(self, number: Number, customer: Customer) -> None:
        """Count one message.

        Raises:
            GraphRefusal: It is too fast.
        """
        if self._per_second is None:
            return
        now = self._world.time.now()
        rate, burst = self._per_second, self._per_second * 1.25
        if not _take(self._numbers, number.phone_number_id, now, rate, burst):
            raise GraphRefusal(130429, "Cloud API message throughput has been reached.", 429)
        pair = (number.phone_number_id, customer.user_id)
        if not _take(self._pairs, pair, now, 1 / self._pair_seconds, self._pair_burst):
            raise GraphRefusal(131056, "Too many messages to this recipient.")

    def name(self, customer: Customer, key: str) -> str:
        """Return what the dice call a message: the n-th to its customer.

        The business makes its ids up as it likes, the order of a conversation is always the
        same: so the same seed gives the same run.
        """
        if key not in self._names:
            place = self._to_customer[customer.user_id] = (
                self._to_customer.get(customer.user_id, 0) + 1
            )
            self._names[key] = f"{customer.user_id}.{place}"
        return self._names[key]

    def attempts_so_far(self, key: str) -> int:
        """Return how many requests have named this message."""
        return self._attempts.get(key, 0)

    def attempts(self, key: str) -> int:
        """Return how many requests have named this message before, and count this one."""
        seen = self._attempts.get(key, 0)
        self._attempts[key] = seen + 1
        return seen


def _take(
    buckets: dict[Hashable, _Bucket], key: Hashable, now: float, rate: float, burst: float
) -> bool:
    bucket = buckets.setdefault(key, _Bucket(burst, now))
    bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * rate)
    bucket.at = now
    if bucket.tokens < 1:
        return False
    bucket.tokens -= 1
    return True
