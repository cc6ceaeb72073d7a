"""`EventLog`: heads, rights and pages, many conversations at a time."""

from __future__ import annotations

import pytest

from pytake.application.ports import ConversationChange, ReplayRequest
from pytake.domain.conversation import Access
from pytake.domain.errors import InvalidPayload
from pytake.domain.ids import ConversationId
from pytake.domain.principal import Role
from store_world import World, new_id


async def test_replay_answers_many_cursors_at_once(world: World) -> None:
    other = (await world.open("+5511900000002")).conversation.id
    for text in "abcd":
        await world.write(text)
        await world.write(text, conversation_id=other)

    pages = await world.store.event_log.replay(
        [ReplayRequest(world.conversation, 1, 2), ReplayRequest(other, 3, 50)]
    )

    assert [event.seq for event in pages[world.conversation]] == [2, 3]
    assert [event.seq for event in pages[other]] == [4]


async def test_replay_above_the_head_is_empty(world: World) -> None:
    await world.write()

    pages = await world.store.event_log.replay([ReplayRequest(world.conversation, 5, 10)])

    assert list(pages[world.conversation]) == []


async def test_a_cursor_beyond_all_numbers_is_refused(world: World) -> None:
    await world.write()

    with pytest.raises(InvalidPayload):
        await world.store.event_log.replay([ReplayRequest(world.conversation, 10**30, 10)])


async def test_heads_of_more_than_a_thousand_conversations(world: World) -> None:
    await world.write()
    strangers = [ConversationId(new_id()) for _ in range(1500)]

    heads = await world.store.event_log.heads([*strangers, world.conversation])

    assert heads == {world.conversation: 1}


async def test_access_tells_owner_assignee_versions_and_head(world: World) -> None:
    await world.write()
    await world.store.conversations.change_conversation(
        world.organization,
        world.conversation,
        ConversationChange(reassign=True, assigned_to=world.ana.user_id),
        expected_assignee=None,
        now=world.clock(),
    )

    access = await world.store.event_log.access([world.conversation, ConversationId(new_id())])

    assert access == {world.conversation: Access(world.organization, world.ana.user_id, 2, 1, 2)}


async def test_a_change_of_role_raises_the_organizations_version(world: World) -> None:
    await world.store.users.change_user(
        world.organization, world.ana.user_id, name=None, role=Role.ADMIN, is_active=None
    )

    committed = await world.write()

    assert committed.events[0].organization_acl_version == 2
    access = await world.store.event_log.access([world.conversation])
    assert access[world.conversation].organization_acl_version == 2


async def test_nothing_asked_is_nothing_answered(world: World) -> None:
    assert await world.store.event_log.heads([]) == {}
    assert await world.store.event_log.access([]) == {}
    assert await world.store.event_log.replay([]) == {}


async def test_the_oldest_kept_is_one_above_the_head_of_an_empty_log(world: World) -> None:
    assert await world.store.event_log.oldest_kept([world.conversation]) == {world.conversation: 1}

    await world.write()

    assert await world.store.event_log.oldest_kept([world.conversation]) == {world.conversation: 1}


async def test_retention_keeps_an_unbroken_end_of_the_log(world: World) -> None:
    for text in "abc":
        await world.write(text)
    await world.store.outbox.advance({world.conversation: [3]})
    world.clock.advance(3 * 86_400)
    await world.write("d")

    deleted = await world.store.upkeep.prune_events(days=2)

    assert deleted == 3
    assert await world.log() == [4]
    assert await world.store.event_log.oldest_kept([world.conversation]) == {world.conversation: 4}
    assert await world.store.upkeep.check_integrity() == []


async def test_retention_never_deletes_what_nobody_has_published(world: World) -> None:
    for text in "abc":
        await world.write(text)
    await world.store.outbox.advance({world.conversation: [1]})
    world.clock.advance(3 * 86_400)

    assert await world.store.upkeep.prune_events(days=2) == 1
    assert await world.log() == [2, 3]


async def test_retention_that_empties_a_log_leaves_the_head(world: World) -> None:
    await world.write()
    await world.store.outbox.advance({world.conversation: [1]})
    world.clock.advance(3 * 86_400)

    await world.store.upkeep.prune_events(days=2)

    assert await world.head() == 1
    assert await world.store.event_log.oldest_kept([world.conversation]) == {world.conversation: 2}
    assert await world.store.upkeep.check_integrity() == []
