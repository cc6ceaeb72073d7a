"""The checker itself: a clean history passes, each kind of wrong one is named."""

import pytest

from chaos.checker import check
from chaos.history import (
    Acknowledged,
    History,
    Join,
    Lost,
    ReaderHistory,
    Sighting,
    StoredEvent,
)

ROOM = "c1"


def new(seq: int, *, at: float | None = None, link: int = 1, message: str | None = None):
    return Sighting(
        at if at is not None else float(seq), link, ROOM, seq, seq, "message:new",
        message or f"m{seq}", "pending",
    )  # fmt: skip


def status(seq: int, message: str, value: str) -> Sighting:
    return Sighting(float(seq), 1, ROOM, seq, seq, "message:status", message, value)


def history_of(*sightings: Sighting, head: int = 3) -> tuple[History, ReaderHistory]:
    reader = ReaderHistory("ana", (ROOM,), list(sightings), [Join(0.0, 1, ROOM, 0, 0, True)])
    log = [StoredEvent(seq, "message:new", f"m{seq}", "pending") for seq in range(1, head + 1)]
    acknowledged = [Acknowledged(seq - 0.5, ROOM, f"k{seq}", f"m{seq}") for seq in (1, 2, 3)]
    return History([reader], acknowledged, {ROOM: log}), reader


def test_everything_once_and_in_order_is_clean() -> None:
    history, _ = history_of(new(1), new(2), new(3))

    report = check(history)

    assert report.is_clean
    assert (report.sent, report.delivered, report.lost) == (3, 3, 0)
    assert report.latencies == [0.5, 0.5, 0.5]


def test_what_an_old_connection_repeats_is_dropped_by_the_client() -> None:
    history, _ = history_of(new(1), new(2), new(2, link=2), new(3, link=2))

    assert check(history).is_clean


def test_a_repeat_on_one_connection_is_a_duplicate() -> None:
    history, _ = history_of(new(1), new(2), new(2), new(3))

    assert check(history).duplicated == 1


def test_a_jump_is_out_of_order() -> None:
    history, _ = history_of(new(1), new(3))

    assert check(history).out_of_order == 1


def test_a_missing_last_event_is_lost() -> None:
    history, _ = history_of(new(1), new(2))

    assert check(history).lost == 1


def test_a_missing_first_event_is_lost() -> None:
    history, _ = history_of(new(2), new(3))

    assert check(history).lost == 1


def test_a_message_stored_twice_under_one_key_is_named() -> None:
    history, _ = history_of(new(1), new(2), new(3))
    history.acknowledged.append(Acknowledged(9.0, ROOM, "k1", "m2"))

    assert any("k1 was stored as 2" in sentence for sentence in check(history).violations)


def test_an_acknowledged_message_that_is_not_in_the_log_is_named() -> None:
    history, _ = history_of(new(1), new(2), new(3))
    history.acknowledged.append(Acknowledged(9.0, ROOM, "k9", "m9"))

    assert any("m9 is not in the log" in sentence for sentence in check(history).violations)


def test_a_hole_in_the_log_is_named() -> None:
    history, _ = history_of(new(1), new(2), new(3))
    del history.truth[ROOM][1]

    assert any("2 is missing" in sentence for sentence in check(history).violations)


def test_a_status_that_goes_back_is_named() -> None:
    history, _ = history_of(new(1), status(2, "m1", "read"), status(3, "m1", "delivered"), head=3)

    assert any("went back to delivered" in sentence for sentence in check(history).violations)


def taken_over(owner: str | None) -> tuple[History, ReaderHistory]:
    """A conversation that everybody sees up to its second event, and `owner` from then on."""
    history, reader = history_of(new(1), new(3))
    history.truth[ROOM][1] = StoredEvent(2, "conversation:updated", None, None, None, owner)
    history.reassigned.add(ROOM)
    reader.user_id = "ana"
    return history, reader


def test_an_event_of_a_conversation_that_was_taken_away_is_named() -> None:
    history, _ = taken_over("rui")

    assert any("when it was rui's" in sentence for sentence in check(history).violations)


def test_a_conversation_that_came_to_the_reader_or_to_nobody_may_be_seen() -> None:
    for owner in ("ana", None):
        history, _ = taken_over(owner)

        assert not any("when it was" in sentence for sentence in check(history).violations)


def test_losing_a_conversation_that_nobody_took_is_named() -> None:
    history, reader = history_of(new(1), new(2), new(3))
    reader.lost_access.append(Lost(9.0, ROOM, 3))

    assert any("which nobody took" in sentence for sentence in check(history).violations)


def test_a_connection_that_outlives_its_successor_is_named() -> None:
    history, reader = history_of(new(1), new(2), new(3, at=20.0))
    reader.superseded[1] = 5.0

    assert any("went on 15.0 s" in sentence for sentence in check(history).violations)


@pytest.mark.parametrize(
    ("shown", "true"),
    [({ROOM: "ana"}, {ROOM: "rui"}), ({ROOM: "ana"}, {}), ({}, {ROOM: None})],
)
def test_a_list_that_shows_something_else_than_rest_is_named(
    shown: dict[str, str | None], true: dict[str, str | None]
) -> None:
    history, reader = history_of(new(1), new(2), new(3))
    reader.follows_list, reader.inbox, reader.may_see = True, shown, true

    assert any("the list shows" in sentence for sentence in check(history).violations)
