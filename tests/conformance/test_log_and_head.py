"""Log and head never disagree, whatever happens at once and whoever gives up half-way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.waiting import eventually
from pytake.application.ports import ConversationChange, StatusReport
from pytake.domain.conversation import ConversationStatus
from pytake.domain.errors import PytakeError
from pytake.domain.ids import MessageId
from pytake.domain.status import MessageStatus
from pytake.store import open_store
from store_world import HeldClock, World, make_world, new_id


@dataclass(frozen=True)
class Act:
    """Something done to the conversation, and after how many turns of the loop it is dropped."""

    kind: str
    number: int
    dropped_after: int | None


ACTS = st.builds(
    Act,
    st.sampled_from(["write", "again", "stale", "receive", "status", "assign", "close", "read"]),
    st.integers(0, 3),
    st.none() | st.integers(0, 60),
)


def act(world: World, chosen: Act) -> Coroutine[Any, Any, Any]:
    """Return the act as a coroutine; the same number means the same message."""
    store = world.store.conversations
    match chosen.kind:
        case "write":
            return world.write()
        case "again":
            return world.write("same", client_message_id=f"c-{chosen.number}")
        case "stale":
            return world.write(based_on_seq=chosen.number, sender_id=world.bruno.user_id)
        case "receive":
            return world.receive(whatsapp_message_id=f"{world.conversation}-{chosen.number}")
        case "status":
            status = list(MessageStatus)[1 + chosen.number]
            message_id = MessageId(world.channel)
            return store.report_status(
                StatusReport(world.organization, status, world.clock(), message_id=message_id)
            )
        case "read":
            return store.mark_read(
                world.organization, world.ana.user_id, world.conversation, chosen.number
            )
    change = ConversationChange(
        reassign=chosen.kind == "assign",
        assigned_to=[None, world.ana.user_id][chosen.number % 2],
        status=ConversationStatus.CLOSED if chosen.kind == "close" else None,
    )
    return store.change_conversation(
        world.organization, world.conversation, change, expected_assignee=None, now=world.clock()
    )


async def do(world: World, chosen: Act) -> None:
    """Do it; a refusal is fine, and so is being dropped."""
    task = asyncio.ensure_future(act(world, chosen))
    if chosen.dropped_after is not None:
        for _ in range(chosen.dropped_after):
            await asyncio.sleep(0)
        task.cancel()
    try:
        await task
    except (PytakeError, asyncio.CancelledError):
        return


async def in_a_new_conversation(world: World) -> None:
    """Start over: a conversation on a channel of its own, with one message to report on."""
    world.channel = new_id()  # type: ignore[assignment]
    received = await world.receive()
    world.conversation = received.conversation.id
    await world.write(id=MessageId(world.channel))


async def problems(world: World) -> list[str]:
    """What is wrong with the conversation now."""
    store = world.store
    log, head = await world.log(), await world.head()
    page = await store.conversations.messages(world.conversation, before_seq=None, limit=200)
    inbound = sum(message.direction == "inbound" for message in page.items)
    client_ids = [item.client_message_id for item in page.items if item.client_message_id]
    conversation = await store.conversations.conversation(world.admin, world.conversation)
    assert conversation is not None
    truths = {
        f"the log is {log}, the head {head}": log == list(range(1, head + 1)),
        f"{inbound} from the customer, not {conversation.inbound_count}": (
            conversation.inbound_count == inbound
        ),
        "another message came last": conversation.last_message == page.items[-1],
        "a client_message_id was used twice": len(client_ids) == len(set(client_ids)),
    }
    return [problem for problem, is_true in truths.items() if not is_true]


async def check(world: World) -> None:
    """Log and head agree in any one look; the rest, once what was dropped has ended too."""
    assert await world.store.upkeep.check_integrity() == []

    async def is_settled() -> bool:
        return not await problems(world)

    try:
        await eventually(is_settled, "all is well", within_seconds=5)
    except TimeoutError:
        assert await problems(world) == []


def test_log_and_head_agree_after_any_interleaving(database_url: str) -> None:
    clock = HeldClock()
    with asyncio.Runner() as runner:
        store = open_store(database_url, clock=clock)
        runner.run(store.open())
        world = runner.run(make_world(store, clock))

        async def interleave(acts: list[Act]) -> None:
            await in_a_new_conversation(world)
            await asyncio.gather(*(do(world, chosen) for chosen in acts))
            await check(world)

        @settings(
            max_examples=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(ACTS, min_size=1, max_size=16))
        def any_interleaving(acts: list[Act]) -> None:
            runner.run(interleave(acts))

        try:
            any_interleaving()
        finally:
            runner.run(store.close())
