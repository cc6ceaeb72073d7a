"""Whatever comes in, what leaves is the log: every event once, in order, without holes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytake.gateway.sequencer import (
    HOLE_PATIENCE_SECONDS,
    MAX_HELD,
    MAX_RECENT,
    MAX_RECENT_BYTES,
    Sequencer,
    Versions,
)
from unit.gateway.events import event


def started(head: int = 0) -> Sequencer:
    sequencer = Sequencer()
    sequencer.allow(Versions(1, 1), 0)
    sequencer.start(head, 0)
    return sequencer


def seqs(events: list) -> list[int]:
    return [each.seq for each in events]


def test_the_next_event_goes_out_at_once() -> None:
    sequencer = started(head=7)

    assert seqs(sequencer.offer(event(8), 0)) == [8]
    assert sequencer.head == 8


def test_an_event_that_went_out_before_is_dropped() -> None:
    sequencer = started(head=7)
    sequencer.offer(event(8), 0)

    assert sequencer.offer(event(8), 0) == []
    assert sequencer.offer(event(3), 0) == []


def test_an_event_without_its_predecessor_waits_for_it() -> None:
    sequencer = started(head=7)

    assert sequencer.offer(event(9), 0) == []
    assert seqs(sequencer.offer(event(8), 0.01)) == [8, 9]
    assert not sequencer.has_hole


def test_a_hole_is_due_once_reordering_no_longer_explains_it() -> None:
    sequencer = started(head=7)
    sequencer.offer(event(9), 10.0)

    assert not sequencer.hole_is_due(10.0 + HOLE_PATIENCE_SECONDS / 2)
    assert sequencer.hole_is_due(10.0 + HOLE_PATIENCE_SECONDS)


def test_a_later_event_behind_the_same_hole_does_not_make_it_younger() -> None:
    sequencer = started(head=7)
    sequencer.offer(event(9), 10.0)
    sequencer.offer(event(10), 10.0 + HOLE_PATIENCE_SECONDS * 0.9)

    assert sequencer.hole_is_due(10.0 + HOLE_PATIENCE_SECONDS)


def test_events_that_come_before_the_first_head_is_known_are_kept() -> None:
    sequencer = Sequencer()
    sequencer.allow(Versions(1, 1), 0)
    for seq in (9, 8, 7):
        assert sequencer.offer(event(seq), 0) == []

    assert seqs(sequencer.start(7, 0)) == [8, 9]


def test_a_head_of_the_store_that_did_not_arrive_here_is_a_hole() -> None:
    sequencer = started(head=7)

    sequencer.learn_of(8, 1.0)

    assert sequencer.hole_is_due(1.0 + HOLE_PATIENCE_SECONDS)
    assert seqs(sequencer.offer(event(8), 2.0)) == [8]
    assert not sequencer.has_hole


def test_too_many_held_events_are_forgotten_and_come_back_from_the_store() -> None:
    sequencer = started(head=0)
    last = MAX_HELD + 10
    for seq in range(2, last + 1):
        assert sequencer.offer(event(seq), 0) == []

    assert sequencer.hole_is_due(1)
    log = [event(seq) for seq in range(1, last + 1)]
    assert seqs(sequencer.offer_all(log, 1)) == list(range(1, last + 1))


def test_an_event_under_newer_rights_waits_until_the_members_were_checked() -> None:
    sequencer = started(head=7)

    assert sequencer.offer(event(8, acl=2), 0) == []
    assert sequencer.fence == Versions(2, 1)
    assert not sequencer.has_hole
    assert seqs(sequencer.allow(Versions(2, 1), 0)) == [8]
    assert sequencer.fence is None


def test_nothing_overtakes_an_event_that_waits_for_a_check() -> None:
    sequencer = started(head=7)
    sequencer.offer(event(8, acl=2), 0)

    assert sequencer.offer(event(9, acl=1), 0) == []
    assert seqs(sequencer.allow(Versions(2, 1), 0)) == [8, 9]


def test_an_event_that_waits_for_a_check_survives_the_forgetting() -> None:
    sequencer = started(head=0)
    sequencer.offer(event(1, acl=2), 0)
    for seq in range(3, MAX_HELD + 20):
        sequencer.offer(event(seq, acl=2), 0)

    assert seqs(sequencer.allow(Versions(2, 1), 0)) == [1]


def test_what_went_out_lately_can_be_had_again_from_a_cursor() -> None:
    sequencer = started(head=5)
    for seq in range(6, 10):
        sequencer.offer(event(seq), 0)

    assert seqs(list(sequencer.since(7) or ())) == [8, 9]
    assert sequencer.since(9) == ()
    assert sequencer.since(4) is None, "event 5 never passed here"
    assert sequencer.since(10) is None


def test_only_the_newest_are_remembered() -> None:
    sequencer = started(head=0)
    for seq in range(1, MAX_RECENT + 3):
        sequencer.offer(event(seq), 0)

    assert sequencer.since(1) is None
    assert len(sequencer.since(2) or ()) == MAX_RECENT


def test_large_events_are_remembered_by_their_bytes() -> None:
    sequencer = started(head=0)
    large = b"x" * (MAX_RECENT_BYTES // 4)
    for seq in range(1, 11):
        sequencer.offer(replace(event(seq), data=large), 0)

    assert [each.seq for each in sequencer.recent] == [7, 8, 9, 10]
    assert sequencer.since(5) is None


@given(
    head=st.integers(0, 5),
    length=st.integers(1, 40),
    data=st.data(),
)
def test_any_order_with_repeats_and_losses_ends_as_the_log(
    head: int, length: int, data: st.DataObject
) -> None:
    log = [event(seq, acl=1 + seq // 7) for seq in range(1, head + length + 1)]
    arrivals = data.draw(st.lists(st.sampled_from(log), max_size=3 * len(log)))
    start_after = data.draw(st.integers(0, len(arrivals)))
    sequencer = Sequencer()
    sequencer.allow(Versions(1, 1), 0)
    out = []

    for index, arrival in enumerate(arrivals):
        if index == start_after:
            out += sequencer.start(head, 0)
        out += sequencer.offer(arrival, 0)
        if data.draw(st.booleans()) and sequencer.fence:
            out += sequencer.allow(sequencer.fence, 0)
    out += sequencer.start(head, 0)
    sequencer.learn_of(head + length, 0)
    now = 0.0
    while sequencer.head != head + length:
        now += 1
        if (fence := sequencer.fence) is not None:
            out += sequencer.allow(fence, now)
        else:
            assert sequencer.hole_is_due(now), "stuck without a hole and without a fence"
            assert sequencer.head is not None
            page = log[sequencer.head : sequencer.head + 3]
            out += sequencer.offer_all(page, now)

    assert seqs(out) == list(range(head + 1, head + length + 1))
