"""`ListChanges` on each store: the first change at once, those that follow as one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytake.application.announce import Announcer
from pytake.application.list_changes import APART_SECONDS, ListChanges
from pytake.application.ports import Committed, ConversationChange
from pytake.contract.rooms import list_rooms
from store_world import World


class Heard:
    """Keeps what would have been sent."""

    def __init__(self) -> None:
        self.notices: list[tuple[tuple[str, ...], str, Mapping[str, Any]]] = []

    async def emit(self, rooms: Sequence[str], event: str, data: Mapping[str, Any]) -> None:
        self.notices.append((tuple(rooms), event, data))

    def rows(self) -> list[int]:
        """The `last_seq` of each row that was sent."""
        return [data["conversation"]["last_seq"] for _, _, data in self.notices]

    async def publish(self, events: Sequence[Any]) -> None:
        pass


class Ticks:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def lists(world: World, heard: Heard, ticks: Ticks) -> ListChanges:
    return ListChanges(world.store.conversations, heard, ticks)


async def assigned(world: World, user_id: str | None, before: str | None) -> Committed:
    return await world.store.conversations.change_conversation(
        world.organization,
        world.conversation,
        ConversationChange(reassign=True, assigned_to=user_id),  # type: ignore[arg-type]
        expected_assignee=before,  # type: ignore[arg-type]
        now=world.clock(),
    )


async def test_a_burst_is_the_first_row_at_once_and_the_last_one_later(
    world: World, lists: ListChanges, heard: Heard, ticks: Ticks
) -> None:
    sent = [await lists.show(await world.write(f"{number}")) for number in range(5)]

    assert sent == [True, False, False, False, False]
    assert heard.rows() == [1]
    assert await lists.show_waiting() == {}, "its time has not come"
    ticks.now += APART_SECONDS
    assert await lists.show_waiting() == {world.conversation: 5}
    assert heard.rows() == [1, 5]
    assert await lists.show_waiting(all_of_them=True) == {}


async def test_changes_that_are_apart_are_sent_at_once(
    world: World, lists: ListChanges, heard: Heard, ticks: Ticks
) -> None:
    for _ in range(3):
        assert await lists.show(await world.write("oi"))
        ticks.now += APART_SECONDS

    assert heard.rows() == [1, 2, 3]


async def test_a_hand_over_does_not_wait_and_what_waits_goes_to_who_sees_it_now(
    world: World, lists: ListChanges, heard: Heard, ticks: Ticks
) -> None:
    await lists.show(await world.write("oi"))
    await lists.show(await world.write("waits"))
    ana = world.ana.user_id
    heard.notices.clear()

    assert await lists.show(await assigned(world, ana, None))

    unassigned = f"organization:{world.organization}:unassigned"
    assert [(rooms, name) for rooms, name, _ in heard.notices] == [
        ((unassigned,), "inbox:removed"),
        (tuple(list_rooms(world.organization, ana)), "inbox:updated"),
    ]
    heard.notices.clear()
    await lists.show_waiting(all_of_them=True)
    ((rooms, _, data),) = heard.notices
    assert unassigned not in rooms
    assert data["conversation"]["last_seq"] == 3


async def test_the_outbox_advances_only_past_what_the_lists_have_heard(
    world: World, heard: Heard
) -> None:
    announce = Announcer(heard, heard, world.store.outbox, world.store.conversations)
    first, second = await world.write("one"), await world.write("two")
    await announce(first)
    await announce(second)

    await announce.flush()
    assert await _left_behind(world) == [2]
    await announce.flush(at_end=True)

    assert await _left_behind(world) == []
    assert heard.rows() == [1, 2]


async def _left_behind(world: World) -> list[int]:
    """The events that a relay would take, were they old enough."""
    world.clock.advance(10)
    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as claimed:
        return [event.seq for event in claimed.events]
