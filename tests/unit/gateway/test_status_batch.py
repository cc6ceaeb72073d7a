"""A batch stands for a contiguous run of statuses, all of them, untouched."""

import orjson

from pytake.gateway.status_batch import BATCH_EVENT, MAX_UPDATES, StatusRun, as_one
from unit.gateway.events import CONVERSATION, event


def status(seq: int):
    return event(seq, name="message:status")


def test_a_run_becomes_one_event() -> None:
    run = StatusRun()
    for seq in (7, 8, 9):
        run.add(status(seq))

    name, data = as_one(run.take())

    batch = orjson.loads(data)
    assert name == BATCH_EVENT
    assert (batch["conversation_id"], batch["first_seq"], batch["last_seq"]) == (CONVERSATION, 7, 9)
    assert [update["seq"] for update in batch["updates"]] == [7, 8, 9]


def test_a_single_status_stays_what_it_is() -> None:
    run = StatusRun()
    run.add(status(7))

    assert as_one(run.take()) == ("message:status", status(7).data)
    assert run.take() == []


def test_a_run_says_when_it_is_long_enough() -> None:
    run = StatusRun()

    full = [run.add(status(seq)) for seq in range(1, MAX_UPDATES + 1)]

    assert full == [False] * (MAX_UPDATES - 1) + [True]
