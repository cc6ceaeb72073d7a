"""`ConversationReader`: the list, its filters, and who sees what."""

from __future__ import annotations

import pytest

from pytake.application.ports import ConversationChange, ConversationQuery
from pytake.domain.conversation import ConversationStatus
from pytake.domain.errors import InvalidPayload
from pytake.domain.ids import ConversationId
from pytake.domain.principal import Principal
from store_world import World, make_world, new_id


async def _assign(world: World, conversation: ConversationId, principal: Principal) -> None:
    await world.store.conversations.change_conversation(
        world.organization,
        conversation,
        ConversationChange(reassign=True, assigned_to=principal.user_id),
        expected_assignee=None,
        now=world.clock(),
    )


async def _ids(world: World, principal: Principal, **query: object) -> list[ConversationId]:
    page = await world.store.conversations.conversations(
        principal,
        ConversationQuery(**query),  # type: ignore[arg-type]
    )
    return [item.id for item in page.items]


async def test_the_newest_activity_comes_first(world: World) -> None:
    world.clock.advance(1)
    other = (await world.open("+5511900000002")).conversation.id
    world.clock.advance(1)
    await world.write()

    assert await _ids(world, world.admin) == [world.conversation, other]


async def test_the_list_shows_last_message_contact_and_unread(world: World) -> None:
    world.clock.advance(1)
    received = await world.receive("oi")

    page = await world.store.conversations.conversations(world.ana, ConversationQuery(limit=1))

    [item] = page.items
    assert item.last_message == received.message
    assert item.contact == received.conversation.contact
    assert item.unread_count == 1
    assert item.epoch == await world.store.event_log.epoch()


async def test_pages_follow_each_other_without_gaps_or_repeats(world: World) -> None:
    for number in range(7):
        if number % 2:
            world.clock.advance(1)
        await world.open(f"+55119000001{number}")

    seen: list[ConversationId] = []
    cursor: str | None = None
    while True:
        page = await world.store.conversations.conversations(
            world.admin, ConversationQuery(cursor=cursor, limit=3)
        )
        seen += [item.id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert len(seen) == len(set(seen)) == 8


@pytest.mark.parametrize("cursor", ["?", "bm9wZQ", "WzEsMl0", "e30", "W10", "WzFlOTksImEiXQ"])
async def test_a_foreign_cursor_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(InvalidPayload):
        await _ids(world, world.admin, cursor=cursor)


async def test_agents_see_their_own_and_what_nobody_has(world: World) -> None:
    of_bruno = (await world.open("+5511900000002")).conversation.id
    of_ana = (await world.open("+5511900000003")).conversation.id
    await _assign(world, of_bruno, world.bruno)
    await _assign(world, of_ana, world.ana)

    assert set(await _ids(world, world.ana)) == {world.conversation, of_ana}
    assert set(await _ids(world, world.admin)) == {world.conversation, of_ana, of_bruno}
    assert set(await _ids(world, world.bot)) == {world.conversation, of_ana, of_bruno}
    assert await _ids(world, world.ana, assigned_to=world.bruno.user_id) == []
    assert await _ids(world, world.ana, assigned_to="me") == [of_ana]
    assert await _ids(world, world.ana, assigned_to="none") == [world.conversation]


async def test_organizations_do_not_meet(world: World) -> None:
    other = await make_world(world.store, world.clock)
    await other.write("secret")

    assert await _ids(world, world.admin) == [world.conversation]
    assert await world.store.conversations.conversation(world.admin, other.conversation) is None


async def test_the_list_is_filtered_by_status(world: World) -> None:
    closed = (await world.open("+5511900000002")).conversation.id
    await world.store.conversations.change_conversation(
        world.organization,
        closed,
        ConversationChange(status=ConversationStatus.CLOSED),
        expected_assignee=None,
        now=world.clock(),
    )

    assert await _ids(world, world.admin, status=ConversationStatus.CLOSED) == [closed]
    assert await _ids(world, world.admin, status=ConversationStatus.OPEN) == [world.conversation]


@pytest.mark.parametrize("text", ["josé", "JOSE", "90000777", "pedido nº 42", "PEDIDO"])
async def test_names_phones_and_texts_are_found_without_case_and_accents(
    world: World, text: str
) -> None:
    jose = (await world.open("+5511900007777", "José da Silva")).conversation.id
    await world.write("o Pedido nº 42 saiu", conversation_id=jose)

    assert await _ids(world, world.admin, text=text) == [jose]


@pytest.mark.parametrize("text", ["%", "_", "\\", "'; DROP TABLE messages; --", "\x00"])
async def test_signs_of_the_query_language_are_only_signs(world: World, text: str) -> None:
    await world.write("nada")

    found = await _ids(world, world.admin, text=text)

    assert found in ([], [world.conversation]) if text == "\x00" else found == []


async def test_messages_come_newest_page_first_each_in_order(world: World) -> None:
    for text in "abcde":
        await world.write(text)
    reader = world.store.conversations

    newest = await reader.messages(world.conversation, before_seq=None, limit=2)
    older = await reader.messages(world.conversation, before_seq=4, limit=2)
    oldest = await reader.messages(world.conversation, before_seq=2, limit=2)

    assert [message.seq for message in newest.items] == [4, 5]
    assert [message.seq for message in older.items] == [2, 3]
    assert [message.seq for message in oldest.items] == [1]
    assert (newest.next_cursor, older.next_cursor, oldest.next_cursor) == ("4", "2", None)


async def test_a_message_of_another_organization_is_none(world: World) -> None:
    message = (await world.write()).message
    other = await make_world(world.store, world.clock)

    assert message is not None
    reader = world.store.conversations
    assert await reader.message(world.organization, message.id) == message
    assert await reader.message(other.organization, message.id) is None
    assert await reader.message(world.organization, new_id()) is None  # type: ignore[arg-type]
