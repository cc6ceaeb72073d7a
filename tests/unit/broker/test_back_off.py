"""How long a process waits before it tries Redis again."""

from pytake.broker.redis_link import MAX_BACK_OFF_SECONDS, BackOff


def test_an_outage_may_last_for_hours() -> None:
    back_off = BackOff()

    waits = [back_off.next_seconds() for _ in range(3000)]

    assert max(waits) <= MAX_BACK_OFF_SECONDS
    assert max(waits[-100:]) > MAX_BACK_OFF_SECONDS / 2
