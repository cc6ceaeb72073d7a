"""Many small questions become few large ones, and nobody pays for another's failure."""

import asyncio
from collections.abc import Sequence

import pytest

from pytake.application.ports import ReplayRequest
from pytake.domain.errors import Unavailable
from pytake.gateway.batching import MAX_QUERIES, Batch, Questions
from pytake.gateway.tasks import Tasks
from unit.gateway.events import CONVERSATION, event


async def test_questions_of_one_moment_share_a_query() -> None:
    asked: list[Sequence[int]] = []

    async def query(keys: Sequence[int]) -> dict[int, str]:
        asked.append(sorted(keys))
        return {key: str(key) for key in keys if key != 3}

    batch = Batch(query, asyncio.Semaphore(MAX_QUERIES), Tasks())

    answers = await asyncio.gather(*(batch(key) for key in (1, 2, 2, 3)))

    assert answers == ["1", "2", "2", None]
    assert asked == [[1, 2, 3]]


async def test_a_failed_query_fails_all_who_asked_and_nobody_later() -> None:
    fails = True

    async def query(keys: Sequence[int]) -> dict[int, int]:
        if fails:
            raise Unavailable
        return {key: key for key in keys}

    batch = Batch(query, asyncio.Semaphore(MAX_QUERIES), Tasks())

    outcomes = await asyncio.gather(batch(1), batch(2), return_exceptions=True)
    fails = False

    assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
    assert await batch(1) == 1


async def test_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    async def query(keys: Sequence[int]) -> dict[int, int]:
        await asyncio.sleep(0.01)
        return {key: key for key in keys}

    batch = Batch(query, asyncio.Semaphore(MAX_QUERIES), Tasks())
    impatient = asyncio.create_task(batch(1))
    patient = asyncio.create_task(batch(1))
    await asyncio.sleep(0)

    impatient.cancel()

    assert await patient == 1


class LogOfTen:
    """An event log of ten events, which counts queries."""

    def __init__(self) -> None:
        self.queries = 0

    async def replay(self, requests: Sequence[ReplayRequest]) -> dict[str, list[object]]:
        self.queries += 1
        assert len({request.conversation_id for request in requests}) == len(requests)
        return {
            request.conversation_id: [event(seq) for seq in range(request.after_seq + 1, 11)]
            for request in requests
        }

    access = heads = oldest_kept = replay


async def test_two_cursors_of_one_conversation_get_a_page_each() -> None:
    log = LogOfTen()
    questions = Questions(log, Tasks())  # type: ignore[arg-type]

    pages = await asyncio.gather(
        questions.page(CONVERSATION, 2),
        questions.page(CONVERSATION, 8),
        questions.page(CONVERSATION, 8),
    )

    assert [[each.seq for each in page] for page in pages] == [
        list(range(3, 11)),
        [9, 10],
        [9, 10],
    ]
    assert log.queries == 2


async def test_a_query_that_breaks_is_told_as_unavailable() -> None:
    async def query(keys: Sequence[int]) -> dict[int, int]:
        raise ZeroDivisionError

    failures: list[BaseException] = []
    batch = Batch(query, asyncio.Semaphore(MAX_QUERIES), Tasks(failures.append))

    with pytest.raises(Unavailable):
        await batch(1)
    await asyncio.sleep(0)

    assert [type(failure) for failure in failures] == [ZeroDivisionError]
