"""One suite for every broker: what is published arrives in order at who has subscribed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from cluster.waiting import eventually
from pytake.application.connection_ports import (
    CloseOrder,
    PodSignals,
    Viewer,
    ViewerBoard,
)
from pytake.application.ports import EventFeed, EventPublisher
from pytake.broker.memory import MemoryBroker
from pytake.broker.redis import (
    RedisCommands,
    RedisEventFeed,
    RedisEventPublisher,
    RedisPodSignals,
    RedisViewerBoard,
    parse_address,
)
from pytake.domain.errors import ErrorCode
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConnectionId, ConversationId, OrganizationId, UserId
from pytake.processes.redis_client import ClusterCommands, connect_redis


def event(conversation: ConversationId, seq: int, text: str = "olá") -> ConversationEvent:
    return ConversationEvent(
        organization_id=OrganizationId(str(uuid4())),
        conversation_id=conversation,
        seq=seq,
        name="message:new",
        data=f'{{"seq":{seq},"text":"{text}\\n"}}'.encode(),
        created_at=datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC),
        acl_version=3,
        organization_acl_version=4,
        traceparent="00-1-2-01",
    )


def conversation() -> ConversationId:
    return ConversationId(str(uuid4()))


@dataclass
class Ears:
    """A pod's side of the broker, and what it has heard."""

    feed: EventFeed
    signals: PodSignals
    board: ViewerBoard
    pod_id: str
    heard: list[ConversationEvent] = field(default_factory=list)
    orders: list[CloseOrder] = field(default_factory=list)
    shares: list[tuple[Any, ...]] = field(default_factory=list)
    viewers: list[tuple[Any, ...]] = field(default_factory=list)
    interruptions: int = 0

    def __post_init__(self) -> None:
        self.feed.listen(self.heard.append, self._interrupted)
        self.signals.listen(self.orders.append, lambda *share: self.shares.append(share))
        self.board.listen(lambda *change: self.viewers.append(change))

    async def _interrupted(self) -> None:
        self.interruptions += 1

    def seqs(self) -> list[int]:
        return [each.seq for each in self.heard]


@dataclass
class Broker:
    publisher: EventPublisher
    pod: Callable[[str], Any]
    is_up: Callable[[], bool] = lambda: True
    """Whether the publisher has its broker."""


async def redis_broker(url: str, stack: AsyncExitStack) -> Broker:
    async def commands() -> RedisCommands:
        made = RedisCommands(parse_address(url))
        await made.start()
        stack.push_async_callback(made.stop)
        return made

    async def keyed(mine: RedisCommands) -> Any:
        if parse_address(url).kind != "cluster":
            return mine
        client = connect_redis(url)
        stack.push_async_callback(client.aclose)
        return ClusterCommands(client)

    async def pod(pod_id: str) -> Ears:
        mine = await commands()
        feed = RedisEventFeed(parse_address(url), mine, pod_id)
        ears = Ears(
            feed,
            RedisPodSignals(mine, feed, pod_id),
            RedisViewerBoard(mine, feed, pod_id, keyed=await keyed(mine)),
            pod_id,
        )
        await feed.start()
        stack.push_async_callback(feed.stop)
        await eventually(lambda: feed.is_healthy, "the feed is up")
        return ears

    of_publisher = await commands()
    return Broker(RedisEventPublisher(of_publisher), pod, lambda: of_publisher.is_up)


def memory_broker() -> Broker:
    broker = MemoryBroker()

    async def pod(pod_id: str) -> Ears:
        return Ears(broker.feed(), broker.pod_signals(pod_id), broker.viewer_board(pod_id), pod_id)

    return Broker(broker, pod)


@pytest.fixture(
    params=[
        "memory",
        *(pytest.param(k, marks=pytest.mark.integration) for k in ("redis", "cluster")),
    ]
)
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield memory_broker()
        else:
            yield await redis_broker(request.getfixturevalue(f"{request.param}_url"), stack)


async def test_an_event_arrives_exactly_as_it_was_published(broker: Broker) -> None:
    here = await broker.pod("here0000")
    sent = event(conversation(), 7)
    assert await here.feed.subscribe(sent.conversation_id)

    await broker.publisher.publish([sent])

    await eventually(lambda: here.heard, "the event")
    assert here.heard == [sent]


async def test_events_of_one_publisher_keep_their_order(broker: Broker) -> None:
    here = await broker.pod("here0000")
    chosen = conversation()
    await here.feed.subscribe(chosen)

    async with asyncio.TaskGroup() as group:
        for start in range(1, 200, 4):
            batch = [event(chosen, seq) for seq in range(start, start + 4)]
            group.create_task(broker.publisher.publish(batch))

    await eventually(lambda: len(here.heard) == 200, "all events")
    assert here.seqs() == list(range(1, 201))


async def test_every_pod_that_has_subscribed_hears(broker: Broker) -> None:
    here, there = await broker.pod("here0000"), await broker.pod("there000")
    chosen = conversation()
    for pod in (here, there):
        await pod.feed.subscribe(chosen)

    await broker.publisher.publish([event(chosen, 1)])

    await eventually(lambda: here.heard and there.heard, "both hear")


async def test_other_conversations_are_not_heard(broker: Broker) -> None:
    here = await broker.pod("here0000")
    chosen, other = conversation(), conversation()
    await here.feed.subscribe(chosen)

    await broker.publisher.publish([event(other, 1), event(chosen, 1)])

    await eventually(lambda: here.heard, "the chosen one")
    assert [each.conversation_id for each in here.heard] == [chosen]


async def test_what_was_unsubscribed_is_not_heard(broker: Broker) -> None:
    here = await broker.pod("here0000")
    gone, chosen = conversation(), conversation()
    for each in (gone, chosen):
        await here.feed.subscribe(each)

    await here.feed.unsubscribe(gone)
    await here.feed.subscribe(chosen)
    await broker.publisher.publish([event(gone, 1), event(chosen, 1)])

    await eventually(lambda: here.heard, "the chosen one")
    assert [each.conversation_id for each in here.heard] == [chosen]


async def test_subscribing_again_right_after_unsubscribing_is_heard(broker: Broker) -> None:
    here = await broker.pod("here0000")
    chosen = conversation()

    async with asyncio.TaskGroup() as group:
        group.create_task(here.feed.subscribe(chosen))
        group.create_task(here.feed.unsubscribe(chosen))
        again = group.create_task(here.feed.subscribe(chosen))
    assert again.result() is True
    await broker.publisher.publish([event(chosen, 1)])

    await eventually(lambda: here.seqs() == [1], "the event")


async def test_an_event_that_its_listener_cannot_bear_is_passed_over(broker: Broker) -> None:
    here = await broker.pod("here0000")
    chosen = conversation()

    def bear(heard: ConversationEvent) -> None:
        if heard.seq == 2:
            raise KeyError(heard.name)
        here.heard.append(heard)

    here.feed.listen(bear, here._interrupted)
    await here.feed.subscribe(chosen)

    await broker.publisher.publish([event(chosen, seq) for seq in (1, 2, 3)])

    await eventually(lambda: here.seqs() == [1, 3], "the events around it")


async def test_a_close_order_reaches_the_pod_it_names(broker: Broker) -> None:
    here, there = await broker.pod("here0000"), await broker.pod("there000")
    order = CloseOrder(
        ConnectionId("there000abc"), UserId(str(uuid4())), ErrorCode.SUPERSEDED, has_joined=True
    )

    await here.signals.close("there000", order)

    await eventually(lambda: there.orders, "the order")
    assert there.orders == [order]
    assert here.orders == []


async def test_a_pod_is_told_that_its_user_is_elsewhere_too(broker: Broker) -> None:
    here, there = await broker.pod("here0000"), await broker.pod("there000")
    ana = UserId(str(uuid4()))

    await here.signals.share("there000", ana)

    await eventually(lambda: there.shares, "the news")
    assert there.shares == [(ana, "here0000")]


async def test_viewers_are_shown_to_the_other_pods(broker: Broker) -> None:
    here, there = await broker.pod("here0000"), await broker.pod("there000")
    chosen = conversation()
    await there.feed.subscribe(chosen)
    ana = Viewer(UserId(str(uuid4())), "Ana")

    await here.board.show(chosen, [ana])

    await eventually(lambda: there.viewers, "the other pod hears of it")
    assert there.viewers == [(chosen, "here0000", (ana,))]
    assert await there.board.others(chosen) == {"here0000": (ana,)}
    assert await here.board.others(chosen) == {}


async def test_viewers_of_any_conversation_are_read(broker: Broker) -> None:
    here, there = await broker.pod("here0000"), await broker.pod("there000")
    ana, chosen = Viewer(UserId(str(uuid4())), "Ana"), [conversation() for _ in range(12)]

    for each in chosen:
        await here.board.show(each, [ana])

    shown = [await there.board.others(each) for each in chosen]
    assert shown == [{"here0000": (ana,)}] * 12


async def test_viewers_who_left_are_no_longer_shown(broker: Broker) -> None:
    here, there = await broker.pod("here0000"), await broker.pod("there000")
    chosen = conversation()
    await here.board.show(chosen, [Viewer(UserId(str(uuid4())), "Ana")])

    await here.board.show(chosen, [])

    assert await there.board.others(chosen) == {}
