"""How fast a number may send: to everybody together, and to one customer.

Meta gives a number 80 messages a second and one customer about one in 6 seconds, with 45
borrowed from the future. Two leaky buckets (GCRA) in the process that holds the lease of
the number. A bucket that was told "too fast" stays closed for a while, longer each time.
"""

from collections.abc import Hashable
from dataclasses import dataclass

NUMBER_PER_SECOND = 80.0
NUMBER_BURST = 80
PAIR_SECONDS = 6.0
PAIR_BURST = 45
MAX_PAIRS = 100_000


@dataclass(slots=True)
class _Bucket:
    interval: float
    burst: int
    full_at: float = 0.0
    closed_until: float = 0.0
    strikes: int = 0

    def wait(self, now: float) -> float:
        """Return how long until one more may go."""
        allowed_at = self.full_at - self.interval * (self.burst - 1)
        return max(0.0, allowed_at - now, self.closed_until - now)

    def take(self, now: float) -> None:
        self.full_at = max(self.full_at, now) + self.interval

    def is_idle(self, now: float) -> bool:
        return self.full_at <= now and self.closed_until <= now


class Pacing:
    """Says when the next message of a number to a customer may leave.

    Args:
        number_per_second: 80 for new numbers, 1000 after Meta's upgrade, 20 where the
            phone app is in use as well.
        number_pause, pair_pause: The first pause after "too fast", in seconds.
    """

    def __init__(
        self,
        number_per_second: float = NUMBER_PER_SECOND,
        number_burst: int = NUMBER_BURST,
        pair_seconds: float = PAIR_SECONDS,
        pair_burst: int = PAIR_BURST,
        number_pause: float = 1.0,
        pair_pause: float = 4.0,
    ) -> None:
        self._number = _Bucket(1 / number_per_second, number_burst)
        self._pair_seconds = pair_seconds
        self._pair_burst = pair_burst
        self._number_pause = number_pause
        self._pair_pause = pair_pause
        self._pairs: dict[Hashable, _Bucket] = {}

    def wait_for_number(self, now: float) -> float:
        """Return the seconds until anybody may be written to."""
        return self._number.wait(now)

    def wait_for_pair(self, pair: Hashable, now: float) -> float:
        """Return the seconds until this customer may be written to."""
        bucket = self._pairs.get(pair)
        return bucket.wait(now) if bucket is not None else 0.0

    def take(self, pair: Hashable, now: float) -> None:
        """Count one message that leaves now."""
        self._number.take(now)
        self._pair(pair, now).take(now)

    def slow_number(self, now: float) -> float:
        """The provider said that the number is too fast: pause it 1, 2, 4 … 60 s."""
        return self._close(self._number, now, self._number_pause, base=2.0, limit=60.0)

    def slow_pair(self, pair: Hashable, now: float) -> float:
        """The provider said so of the pair: pause it 4, 16, 64 … 3600 s, as Meta asks."""
        bucket = self._pair(pair, now)
        return self._close(bucket, now, self._pair_pause, base=4.0, limit=3600.0)

    def accepted(self, pair: Hashable) -> None:
        """A message went through: the next pause starts small again."""
        self._number.strikes = 0
        if (bucket := self._pairs.get(pair)) is not None:
            bucket.strikes = 0

    @staticmethod
    def _close(bucket: _Bucket, now: float, first: float, *, base: float, limit: float) -> float:
        pause = min(limit, first * base**bucket.strikes)
        bucket.strikes += 1
        bucket.closed_until = max(bucket.closed_until, now + pause)
        return pause

    def _pair(self, pair: Hashable, now: float) -> _Bucket:
        bucket = self._pairs.get(pair)
        if bucket is None:
            if len(self._pairs) >= MAX_PAIRS:
                self._forget_idle(now)
            bucket = self._pairs[pair] = _Bucket(self._pair_seconds, self._pair_burst)
        return bucket

    def _forget_idle(self, now: float) -> None:
        idle = [pair for pair, bucket in self._pairs.items() if bucket.is_idle(now)]
        for pair in idle:
            del self._pairs[pair]
