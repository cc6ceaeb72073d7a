"""No faster than WhatsApp allows, with a clock that the test holds."""

from pytake.whatsapp.pacing import Pacing


def most_in(pacing: Pacing, seconds: float, *, pairs: int) -> int:
    """Send as fast as allowed and return how many went."""
    now, sent = 0.0, 0
    while now < seconds:
        for pair in range(pairs):
            if not pacing.wait_for_number(now) and not pacing.wait_for_pair(pair, now):
                pacing.take(pair, now)
                sent += 1
        now += 0.005
    return sent


def test_a_number_sends_eighty_a_second_after_its_first_burst() -> None:
    assert most_in(Pacing(), 10.0, pairs=500) - 80 in range(795, 806)


def test_a_customer_gets_a_burst_and_then_one_in_six_seconds() -> None:
    assert most_in(Pacing(), 60.0, pairs=1) in range(54, 57)


def test_a_pair_that_was_too_fast_pauses_four_times_as_long_each_time() -> None:
    pacing = Pacing()

    pauses = [pacing.slow_pair("ana", 0.0) for _ in range(3)]

    assert pauses == [4.0, 16.0, 64.0]
    assert pacing.wait_for_pair("ana", 1.0) == 63.0
    assert pacing.wait_for_pair("rui", 1.0) == 0.0


def test_a_message_that_went_through_ends_the_strikes() -> None:
    pacing = Pacing()
    pacing.slow_pair("ana", 0.0)

    pacing.accepted("ana")

    assert pacing.slow_pair("ana", 100.0) == 4.0


def test_a_number_that_was_too_fast_pauses_for_everybody() -> None:
    pacing = Pacing()

    pacing.slow_number(0.0)

    assert pacing.wait_for_number(0.5) == 0.5
