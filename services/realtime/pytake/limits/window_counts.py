"""Counts of HTTP requests in memory, brought together with other pods in the background.

slowapi asks its storage in the middle of a request and waits for the answer. A storage that
asks a network then stops the whole loop when the network does. This one answers from memory
alone; twice a second it tells a shared store what it has counted and learns what all pods
have together. So a limit is exact within a pod, and across pods late by half a second. While
the shared store is away each pod limits on its own.

Windows lie at the same times on all pods (multiples of their length since 1970); the count
of the window before weighs as much as of it is still within reach (sliding window counter).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from limits.storage import Storage
from limits.storage.base import SlidingWindowCounterSupport

MAX_WINDOWS = 200_000
"""Beyond this the oldest are forgotten: memory is bounded whoever knocks."""


@dataclass(slots=True)
class _Window:
    total: int
    unshared: int
    ends_at: float
    """When the window *after* this one ends: until then the count still weighs."""


class WindowCounts(Storage, SlidingWindowCounterSupport):
    """The storage behind slowapi; one object may be shared by several limits."""

    STORAGE_SCHEME = ["pytake"]  # noqa: RUF012 - the registry of `limits` reads a list

    def __init__(
        self,
        uri: str | None = None,
        *,
        clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        super().__init__(uri, wrap_exceptions=False, **options)
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    # --- asked by slowapi ----------------------------------------------------------------

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count `amount` if the limit allows it."""
        before, reach, now_count, _ = self.get_sliding_window(key, expiry)
        if before * reach / expiry + now_count + amount > limit:
            return False
        self._add(key, expiry, amount)
        return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return counts of the window before and of this one, each with its time left."""
        now = self._clock()
        index, elapsed = divmod(now, expiry)
        left = expiry - elapsed
        before = self._total(f"{key}/{int(index) - 1}")
        current = self._total(f"{key}/{int(index)}")
        return before, left, current, left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what was counted here."""
        index = int(self._clock() // expiry)
        self._windows.pop(f"{key}/{index}", None)
        self._windows.pop(f"{key}/{index - 1}", None)

    def seconds_until_free(self, key: str, limit: int, expiry: int) -> float:
        """Return after how long one more request will be allowed, if none comes before."""
        before, left, current, _ = self.get_sliding_window(key, expiry)
        if current + 1 <= limit:
            return max(0.0, left - (limit - current - 1) * expiry / before) if before else 0.0
        # Not in this window: in the next one, what was counted now fades away.
        return left + max(0.0, expiry - (limit - 1) * expiry / current)

    # --- brought together ----------------------------------------------------------------

    def take_unshared(self) -> dict[str, tuple[int, float]]:
        """Return (count, seconds to keep) of what others do not know yet, and forget the past."""
        now = self._clock()
        unshared: dict[str, tuple[int, float]] = {}
        for key in [key for key, window in self._windows.items() if window.ends_at <= now]:
            del self._windows[key]
        for key, window in self._windows.items():
            if window.unshared:
                unshared[key] = (window.unshared, window.ends_at - now)
                window.unshared = 0
        return unshared

    def put_back(self, unshared: Mapping[str, tuple[int, float]]) -> None:
        """Take counts back that could not be shared; the next attempt brings them along."""
        for key, (count, _) in unshared.items():
            if window := self._windows.get(key):
                window.unshared += count

    def learn(self, totals: Mapping[str, int]) -> None:
        """Take over what all pods have counted together."""
        for key, total in totals.items():
            if window := self._windows.get(key):
                window.total = max(window.total, total + window.unshared)

    def _add(self, key: str, expiry: int, amount: int) -> None:
        index = int(self._clock() // expiry)
        name = f"{key}/{index}"
        window = self._windows.get(name)
        if window is None:
            self._make_room()
            window = self._windows[name] = _Window(0, 0, (index + 2) * expiry)
        window.total += amount
        window.unshared += amount

    def _make_room(self) -> None:
        if len(self._windows) >= MAX_WINDOWS:
            for key in list(self._windows)[: MAX_WINDOWS // 10]:
                del self._windows[key]

    def _total(self, name: str) -> int:
        window = self._windows.get(name)
        return 0 if window is None else window.total

    # --- what `limits` asks of every storage ---------------------------------------------

    @property
    def base_exceptions(self) -> type[Exception]:
        return Exception

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        count = len(self._windows)
        self._windows.clear()
        return count

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self._add(key, expiry, amount)
        return self._total(f"{key}/{int(self._clock() // expiry)}")

    def get(self, key: str) -> int:
        return sum(
            window.total for name, window in self._windows.items() if name.startswith(f"{key}/")
        )

    def get_expiry(self, key: str) -> float:
        ends = [w.ends_at for name, w in self._windows.items() if name.startswith(f"{key}/")]
        return max(ends, default=self._clock())

    def clear(self, key: str) -> None:
        for name in [name for name in self._windows if name.startswith(f"{key}/")]:
            del self._windows[name]
