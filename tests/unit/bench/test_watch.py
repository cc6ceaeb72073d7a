"""A long load is judged by what a server comes to rest at."""

import pytest

from pytake.bench.watch import MEMORY, Course, Rest, Sample, added_up


def test_labels_are_added_up_and_other_lines_left_out() -> None:
    text = """
# HELP pytake_rooms Rooms with members on this pod.
# TYPE pytake_rooms gauge
pytake_rooms{kind="conversation"} 3.0
pytake_rooms{kind="user"} 4.0
process_open_fds 21.0
odd{label="a } b"} 1.0
"""
    found = added_up(text)

    assert found["pytake_rooms"] == 7
    assert found["process_open_fds"] == 21
    assert found["odd"] == 1


def test_what_grew_has_not_returned_and_what_nobody_read_neither() -> None:
    assert Rest("gateway", "tasks", before=12, after=12).has_returned
    assert Rest("gateway", "tasks", before=12, after=11).has_returned
    assert not Rest("gateway", "tasks", before=12, after=13).has_returned
    assert not Rest("gateway", "tasks", before=12, after=None).has_returned


def test_memory_is_judged_once_it_has_settled() -> None:
    course = Course()
    for minute in range(60):
        megabytes = 100 + min(minute, 15) * 4 + minute * 0.1  # fills, then 6 MB an hour
        course.samples["load"].append(Sample(minute * 60, {MEMORY: megabytes * 2**20}))

    assert course.slope_mb_per_hour() == pytest.approx(6, rel=0.01)
