"""How far a message has travelled, whatever order the reports come in."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import permutations

import pytest

from pytake.domain.status import MessageStatus, StatusTimes, advance, status_from_provider

PENDING, SENT, FAILED, DELIVERED, READ = MessageStatus
BEGAN = datetime(2026, 11, 22, 12, tzinfo=UTC)
WAY = {SENT: BEGAN, DELIVERED: BEGAN + timedelta(seconds=3), READ: BEGAN + timedelta(seconds=9)}


@pytest.mark.parametrize("reports", list(permutations(WAY)))
def test_reports_in_any_order_end_as_read_with_the_times_of_each(
    reports: tuple[MessageStatus, ...],
) -> None:
    times = reduce(lambda known, each: known.reported(each, WAY[each]), reports, StatusTimes())

    assert reduce(advance, reports, PENDING) is READ
    assert times == StatusTimes(WAY)


def test_what_was_read_was_sent_and_delivered_at_the_latest_then() -> None:
    times = StatusTimes().reported(READ, BEGAN)

    assert times.at == {SENT: BEGAN, DELIVERED: BEGAN, READ: BEGAN}
    assert times.implied == {SENT, DELIVERED}


def test_a_failure_implies_nothing() -> None:
    assert StatusTimes().reported(FAILED, BEGAN) == StatusTimes({FAILED: BEGAN})


def test_the_first_time_of_a_status_stays() -> None:
    first = StatusTimes().reported(SENT, BEGAN)

    assert first.reported(SENT, BEGAN + timedelta(seconds=5)) is first
    assert first.reported(PENDING, BEGAN) is first


@pytest.mark.parametrize(
    ("name", "status"),
    [("accepted", PENDING), ("played", READ), ("delivered", DELIVERED), ("teleported", None)],
)
def test_the_providers_words(name: str, status: MessageStatus | None) -> None:
    assert status_from_provider(name) is status


def test_a_delivery_outranks_a_failure() -> None:
    assert advance(FAILED, DELIVERED) is DELIVERED
    assert advance(FAILED, SENT) is FAILED
