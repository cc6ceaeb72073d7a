"""A run that cannot go on ends at its deadline and says what it lacks."""

import asyncio

import pytest

from chaos.phases import Stuck, phase


async def test_a_part_that_takes_too_long_names_what_is_missing() -> None:
    with pytest.raises(Stuck) as stuck:
        async with phase("every reader is whole", 0.01, lambda: ["reader-7: is connecting"]):
            await asyncio.Event().wait()

    assert "every reader is whole" in str(stuck.value)
    assert "reader-7: is connecting" in str(stuck.value)


async def test_a_long_list_of_what_is_missing_is_cut() -> None:
    with pytest.raises(Stuck) as stuck:
        async with phase("all", 0.01, lambda: (f"reader-{number}" for number in range(60))):
            await asyncio.Event().wait()

    assert "and 50 more" in str(stuck.value)


async def test_a_deadline_inside_a_part_is_not_taken_for_its_own() -> None:
    with pytest.raises(TimeoutError, match="something else"):
        async with phase("all", 60, list):
            raise TimeoutError("something else")
