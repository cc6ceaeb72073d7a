"""`AnnounceLeftBehind` on each store: what the inbox lists hear of events a relay published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytake.application.announce import ADVANCE_ATTEMPTS, AnnounceLeftBehind, Announcer
from pytake.application.ports import Committed, ConversationChange
from pytake.contract.rooms import list_rooms
from pytake.domain.errors import Unavailable
from pytake.domain.events import ConversationEvent
from store_world import World


class Heard:
    """Keeps what would have been sent."""

    def __init__(self) -> None:
        self.notices: list[tuple[tuple[str, ...], str, Mapping[str, Any]]] = []

    async def emit(self, rooms: Sequence[str], event: str, data: Mapping[str, Any]) -> None:
        self.notices.append((tuple(rooms), event, data))


async def test_a_message_shows_the_present_row_to_who_sees_it(world: World) -> None:
    heard = Heard()
    received = await world.receive("oi")

    await AnnounceLeftBehind(world.store.conversations, heard)(received.events)

    [(rooms, name, data)] = heard.notices
    assert rooms == (
        f"organization:{world.organization}:admins",
        f"organization:{world.organization}:unassigned",
    )
    assert name == "inbox:updated"
    assert data["conversation"]["last_message"]["content"] == {"text": "oi"}
    assert data["conversation"]["unread_count"] == 1


async def test_after_a_reassignment_everybody_loads_the_list_anew(world: World) -> None:
    heard = Heard()
    changed = await world.store.conversations.change_conversation(
        world.organization,
        world.conversation,
        ConversationChange(reassign=True, assigned_to=world.ana.user_id),
        expected_assignee=None,
        now=world.clock(),
    )

    await AnnounceLeftBehind(world.store.conversations, heard)(changed.events)

    assert [(rooms, name) for rooms, name, _ in heard.notices] == [
        (
            tuple(list_rooms(world.organization, world.ana.user_id)),
            "inbox:updated",
        ),
        ((f"organization:{world.organization}",), "resync"),
    ]


class BrokerThatWasAway:
    """Refuses the first event, and takes all others."""

    def __init__(self) -> None:
        self.refused: list[ConversationEvent] = []

    async def publish(self, events: Sequence[ConversationEvent]) -> None:
        if not self.refused:
            self.refused += events
            raise Unavailable()


async def reassign(world: World) -> Committed:
    return await world.store.conversations.change_conversation(
        world.organization,
        world.conversation,
        ConversationChange(reassign=True, assigned_to=world.ana.user_id),
        expected_assignee=None,
        now=world.clock(),
    )


async def test_a_change_of_rights_that_redis_did_not_take_is_left_to_the_relay(
    world: World,
) -> None:
    announce = Announcer(
        BrokerThatWasAway(), Heard(), world.store.outbox, world.store.conversations
    )
    await announce(await reassign(world))
    await announce(await world.receive("oi"))

    for _ in range(ADVANCE_ATTEMPTS + 1):
        await announce.flush(at_end=True)
    world.clock.advance(2)

    async with world.store.outbox.claim(older_than_seconds=1, limit=10) as claimed:
        assert claimed.events[0].name == "conversation:updated"
    assert announce._published == {}
