"""The check of the database finds what must never be."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from store_world import World


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM events WHERE seq = 2",
        "DELETE FROM events WHERE seq = 3",
        "DELETE FROM events",
        "UPDATE conversations SET last_seq = 4",
        "UPDATE conversations SET last_seq = 2",
    ],
    ids=["a hole", "the end is missing", "nothing is left", "head too high", "head too low"],
)
async def test_a_log_that_is_not_what_its_head_says_is_found(world: World, damage: str) -> None:
    for word in "abc":
        await world.write(word)
    assert await world.store.upkeep.check_integrity() == []

    async with world.store.upkeep._database.write() as connection:
        await connection.execute(text(damage))

    [found] = await world.store.upkeep.check_integrity()
    assert found.conversation_id == world.conversation


async def test_refresh_tokens_that_nobody_can_use_are_deleted(world: World) -> None:
    await world.store.refresh_tokens.store("old", world.ana.user_id, world.clock())
    await world.store.refresh_tokens.store("new", world.ana.user_id, world.clock.advance(60))

    assert await world.store.upkeep.drop_expired_tokens() == 1
