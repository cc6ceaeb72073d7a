"""`Outbox`: what was left behind is claimed once, in order, and never moves back."""

from __future__ import annotations

import asyncio

import pytest

from pytake.application.ports import ConversationChange
from pytake.domain.ids import ConversationId
from pytake.store import open_store
from store_world import World


async def assign(world: World) -> None:
    await world.store.conversations.change_conversation(
        world.organization,
        world.conversation,
        ConversationChange(reassign=True, assigned_to=world.ana.user_id),
        expected_assignee=None,
        now=world.clock(),
    )


async def test_what_was_published_at_once_is_not_claimed(world: World) -> None:
    await world.write()
    await world.store.outbox.advance({world.conversation: [1]})
    world.clock.advance(10)

    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as claimed:
        assert claimed.events == []


async def test_what_is_younger_than_the_age_is_left_to_its_writer(world: World) -> None:
    await world.write()
    world.clock.advance(0.5)

    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as claimed:
        assert claimed.events == []


async def test_what_was_left_behind_is_claimed_in_order(world: World) -> None:
    other = (await world.open("+5511900000002")).conversation.id
    for text in "abc":
        await world.write(text)
        await world.write(text, conversation_id=other)
    await world.store.outbox.advance({world.conversation: [1]})
    world.clock.advance(2)

    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as claimed:
        of_one = [e.seq for e in claimed.events if e.conversation_id == world.conversation]
        of_other = [e.seq for e in claimed.events if e.conversation_id == other]

    assert (of_one, of_other) == ([2, 3], [1, 2, 3])


async def test_a_claim_takes_only_the_part_that_is_old_enough(world: World) -> None:
    await world.write("old")
    world.clock.advance(2)
    await world.write("young")

    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as claimed:
        assert [event.seq for event in claimed.events] == [1]


async def test_age_counts_from_the_first_event_that_is_unpublished(world: World) -> None:
    await world.write("published late")
    world.clock.advance(2)
    await world.write("young")
    await world.store.outbox.advance({world.conversation: [1]})
    world.clock.advance(0.5)

    assert await world.store.outbox.depth() == (1, 0.5)
    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as claimed:
        assert claimed.events == []


async def test_two_relays_never_hold_the_same_conversation(world: World, database_url: str) -> None:
    for number in range(6):
        opened = await world.open(f"+55119000001{number}")
        await world.write(conversation_id=opened.conversation.id)
    world.clock.advance(2)

    async with open_store(database_url, clock=world.clock) as other:

        async def claim(outbox: object) -> set[ConversationId]:
            async with outbox.claim(older_than_seconds=1, limit=3) as claimed:  # type: ignore[attr-defined]
                await both.wait()
                return {event.conversation_id for event in claimed.events}

        both = asyncio.Barrier(2)
        first, second = await asyncio.gather(claim(world.store.outbox), claim(other.outbox))

    assert len(first) == len(second) == 3
    assert not first & second


async def test_a_relay_that_dies_loses_its_claim_after_a_while(world: World) -> None:
    await world.write()
    world.clock.advance(2)
    forgotten = world.store.outbox.claim(older_than_seconds=1, limit=10)
    await forgotten.__aenter__()

    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as meanwhile:
        assert meanwhile.events == []
    world.clock.advance(6)
    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as later:
        assert [event.seq for event in later.events] == [1]


async def test_writers_do_not_wait_for_a_relay_that_holds_a_claim(world: World) -> None:
    await world.write()
    world.clock.advance(2)

    async with world.store.outbox.claim(older_than_seconds=1, limit=10):
        async with asyncio.timeout(1.5):
            await world.write("dois")

    assert await world.log() == [1, 2]


async def test_what_a_relay_published_is_done(world: World) -> None:
    await world.write()
    world.clock.advance(2)

    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as claimed:
        await claimed.published(claimed.events)

    assert await world.store.outbox.depth() == (0, 0.0)


async def test_what_a_failed_relay_claimed_is_free_at_once(world: World) -> None:
    await world.write()
    world.clock.advance(2)

    with pytest.raises(RuntimeError):
        async with world.store.outbox.claim(older_than_seconds=1, limit=10):
            raise RuntimeError("the broker is away")

    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as claimed:
        assert [event.seq for event in claimed.events] == [1]


async def test_the_position_never_moves_back_nor_past_the_head(world: World) -> None:
    for text in "abc":
        await world.write(text)
    await world.store.outbox.advance({world.conversation: [3]})
    await world.store.outbox.advance({world.conversation: [1]})
    assert (await world.store.outbox.depth())[0] == 0

    await world.store.outbox.advance({world.conversation: [99]})
    await world.write("d")

    assert (await world.store.outbox.depth())[0] == 1


async def test_a_change_of_rights_that_nobody_published_is_not_passed_over(world: World) -> None:
    await world.write("um")
    await assign(world)
    await world.write("três")
    world.clock.advance(2)

    held = await world.store.outbox.advance({world.conversation: [1, 3]})

    assert list(held) == [world.conversation]
    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as claimed:
        assert [event.seq for event in claimed.events] == [1, 2, 3]
        await claimed.published(claimed.events)
    assert await world.store.outbox.depth() == (0, 0.0)


async def test_a_message_that_another_process_publishes_is_passed_over(world: World) -> None:
    for text in ("um", "dois"):
        await world.write(text)

    held = await world.store.outbox.advance({world.conversation: [2]})

    assert not held
    assert (await world.store.outbox.depth())[0] == 0


async def test_a_conversation_moves_once_the_change_before_it_was_published(world: World) -> None:
    await assign(world)
    await world.write("dois")
    assert await world.store.outbox.advance({world.conversation: [2]})

    assert not await world.store.outbox.advance({world.conversation: [1]})
    assert not await world.store.outbox.advance({world.conversation: [2]})

    assert (await world.store.outbox.depth())[0] == 0


async def test_many_processes_may_advance_the_same_conversations_at_once(world: World) -> None:
    conversations = [world.conversation]
    for number in range(20):
        conversations.append((await world.open(f"+551191111{number:04}")).conversation.id)
    for conversation in conversations:
        await world.write(conversation_id=conversation)

    forward = {each: [1] for each in conversations}
    backward = {each: [1] for each in reversed(conversations)}
    await asyncio.gather(*(world.store.outbox.advance(batch) for batch in [forward, backward] * 10))

    assert await world.store.outbox.depth() == (0, 0.0)


async def test_a_waker_is_heard_in_the_same_process(world: World) -> None:
    wake_ups = world.store.outbox.wake_ups()
    waiting = asyncio.ensure_future(anext(wake_ups))
    await asyncio.sleep(0)

    await world.store.outbox.wake()

    async with asyncio.timeout(2):
        await waiting
    await wake_ups.aclose()  # type: ignore[attr-defined]
