"""Latencies in buckets, as the generator counts them: sparse, cheap to add up over processes.

A bucket is a microsecond below 64 µs, then a 64th of an octave: 1.6 % is the resolution.
"""

from collections import Counter
from collections.abc import Iterable

BUCKETS = 4096


def bucket_of(microseconds: int) -> int:
    """Return the bucket that counts a latency."""
    if microseconds < 64:
        return max(0, microseconds)
    octave = microseconds.bit_length() - 1
    return min(BUCKETS - 1, ((octave - 5) << 6) | ((microseconds >> (octave - 6)) & 63))


def milliseconds_of(bucket: int) -> float:
    """Return the smallest latency that a bucket counts."""
    if bucket < 64:
        return bucket / 1000
    octave = (bucket >> 6) + 5
    return float((64 | (bucket & 63)) << (octave - 6)) / 1000


class Histogram(Counter[int]):
    """How often each bucket was hit; a sum of histograms is the histogram of all."""

    @classmethod
    def of_counts(cls, counts: Iterable[int]) -> "Histogram":
        """Keep what is not zero of the buckets 0, 1, 2 …"""
        return cls({bucket: count for bucket, count in enumerate(counts) if count})

    @classmethod
    def of_milliseconds(cls, values: Iterable[float]) -> "Histogram":
        """Count latencies that were measured one by one."""
        return cls(Counter(bucket_of(round(value * 1000)) for value in values))

    def since(self, earlier: "Histogram") -> "Histogram":
        """Return what was added after `earlier`."""
        return Histogram({b: n - earlier[b] for b, n in self.items() if n != earlier[b]})

    def quantile(self, share: float) -> float | None:
        """Return the latency in milliseconds that this share was no slower than."""
        count = self.total()
        if not count:
            return None
        wanted = min(int(share * count), count - 1)
        for bucket in sorted(self):
            wanted -= self[bucket]
            if wanted < 0:
                return milliseconds_of(bucket)
        return None
