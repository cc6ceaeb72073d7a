"""One suite for the limits inside a process and over Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest

from cluster.waiting import eventually
from pytake.application.connection_ports import ConnectionPlaces, EventRates, Place
from pytake.broker.redis import RedisCommands, parse_address
from pytake.domain.ids import ConnectionId, UserId
from pytake.limits.memory import (
    MemoryEventRates,
    MemoryPlaces,
    MemoryPlaceTable,
)
from pytake.limits.redis import RedisEventRates, RedisPlaces, places_key
from pytake.processes.redis_client import ClusterCommands, connect_redis

CAP = 3


def someone() -> UserId:
    return UserId(str(uuid4()))


def connection(name: object) -> ConnectionId:
    return ConnectionId(f"connection-{name}")


class Limits:
    """Makes the limits of pods that share them."""

    places: Callable[[str], ConnectionPlaces]
    rates: Callable[[int, float], EventRates]


@pytest.fixture(
    params=[
        "memory",
        *(pytest.param(k, marks=pytest.mark.integration) for k in ("redis", "cluster")),
    ]
)
async def limits(request: pytest.FixtureRequest) -> AsyncIterator[Limits]:
    made = Limits()
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            table = MemoryPlaceTable()
            made.places = lambda pod: MemoryPlaces(pod, CAP, table)
            made.rates = MemoryEventRates
        else:
            commands: Any
            if request.param == "cluster":
                client = connect_redis(request.getfixturevalue("cluster_url"))
                stack.push_async_callback(client.aclose)
                commands = ClusterCommands(client)
                # As the pod's first heartbeat, before anybody comes.
                await commands.calls([["TIME"]])
            else:
                commands = RedisCommands(parse_address(request.getfixturevalue("redis_url")))
                await commands.start()
                stack.push_async_callback(commands.stop)
            made.places = lambda pod: RedisPlaces(commands, pod, CAP)
            made.rates = lambda count, seconds: RedisEventRates(commands, count, seconds)
        yield made


async def test_the_oldest_gives_way_to_the_fourth(limits: Limits) -> None:
    places, ana = limits.places("pod-1"), someone()
    for name in ("desktop", "phone", "tablet"):
        assert not (await places.take(ana, connection(name))).must_go

    seating = await places.take(ana, connection("laptop"))

    assert [place.connection_id for place in seating.must_go] == [connection("desktop")]
    assert seating.must_go[0].pod_id == "pod-1"


async def test_another_user_has_places_of_his_own(limits: Limits) -> None:
    places = limits.places("pod-1")
    for name in range(CAP):
        await places.take(someone(), connection(name))

    assert not (await places.take(someone(), connection("more"))).must_go


async def test_a_released_place_is_free(limits: Limits) -> None:
    places, ana = limits.places("pod-1"), someone()
    for name in range(CAP):
        await places.take(ana, connection(name))

    await places.release(ana, connection(1))
    await places.release(ana, connection(1))

    assert not (await places.take(ana, connection("new"))).must_go


async def test_fifty_at_once_over_three_pods_leave_exactly_the_cap(limits: Limits) -> None:
    pods = [limits.places(f"pod-{number}") for number in range(3)]
    ana = someone()

    seatings = await asyncio.gather(
        *(pods[number % 3].take(ana, connection(number)) for number in range(50))
    )

    gone = [place.connection_id for seating in seatings for place in seating.must_go]
    assert len(gone) == len(set(gone)) == 50 - CAP


async def test_who_comes_back_takes_the_place_of_the_old_connection(limits: Limits) -> None:
    here, there, ana = limits.places("pod-1"), limits.places("pod-2"), someone()
    for name in ("old", "phone", "tablet"):
        await here.take(ana, connection(name))

    seating = await there.take(ana, connection("new"), instead_of=connection("old"))

    assert [place.connection_id for place in seating.must_go] == [connection("old")]
    assert seating.others == {"pod-1"}


async def test_a_foreign_or_invented_predecessor_does_nothing(limits: Limits) -> None:
    places, ana, bruno = limits.places("pod-1"), someone(), someone()
    await places.take(bruno, connection("bruno's"))

    for predecessor in (connection("bruno's"), connection("invented")):
        seating = await places.take(ana, connection("ana's"), instead_of=predecessor)
        assert not seating.must_go

    assert not (await places.take(bruno, connection("another"))).must_go


async def test_asserting_enters_what_was_forgotten(limits: Limits) -> None:
    here, ana = limits.places("pod-1"), someone()
    for name in range(CAP):
        await here.take(ana, connection(name))
        await here.release(ana, connection(name))

    must_go = await here.assert_all({ana: {connection(name): 9 - name for name in range(CAP)}})

    assert not must_go
    seating = await here.take(ana, connection("new"))
    assert [place.connection_id for place in seating.must_go] == [connection(0)]


async def test_asserting_too_many_tells_the_oldest_to_go(limits: Limits) -> None:
    here, ana = limits.places("pod-1"), someone()
    ages = {connection("middle"): 40.0, connection("oldest"): 50.0, connection("a"): 30.0}
    ages |= {connection("b"): 20.0, connection("newest"): 10.0}

    must_go = await here.assert_all({ana: ages})

    gone = [place.connection_id for _, place in must_go]
    assert sorted(gone) == [connection("middle"), connection("oldest")]


async def test_who_leaves_during_an_assertion_is_not_entered_again(limits: Limits) -> None:
    places, ana = limits.places("pod-1"), someone()
    for name in range(CAP):
        await places.take(ana, connection(name))

    ages = {connection(name): 9.0 - name for name in range(CAP)}
    asserting = asyncio.ensure_future(places.assert_all({ana: ages}))
    await asyncio.sleep(0)
    await places.release(ana, connection(1))
    await asserting

    assert not (await places.take(ana, connection("new"))).must_go


async def test_who_gave_way_and_was_not_told_takes_nobodys_place(limits: Limits) -> None:
    here, there, ana = limits.places("pod-1"), limits.places("pod-2"), someone()
    await here.take(ana, connection("a"))
    for name in ("b", "c", "d"):
        await there.take(ana, connection(name))

    must_go = await here.assert_all({ana: {connection("a"): 60}})

    assert must_go == [(ana, Place(connection("a"), "pod-1"))]
    assert not await there.assert_all({ana: {connection(name): 9 for name in ("b", "c", "d")}})


async def test_ghosts_of_a_pod_that_wakes_give_way_to_those_who_moved_on(limits: Limits) -> None:
    frozen, there, ana = limits.places("pod-1"), limits.places("pod-2"), someone()
    ghosts = {connection(f"ghost-{number}"): 60.0 - number for number in range(CAP)}
    for name in range(CAP):
        await there.take(ana, connection(name))

    must_go = await frozen.assert_all({ana: ghosts})

    assert {place.connection_id for _, place in must_go} == set(ghosts)
    assert not await there.assert_all({ana: {connection(name): 1 for name in range(CAP)}})


async def test_a_budget_is_used_up_and_fills_again(limits: Limits) -> None:
    rates, ana = limits.rates(3, 0.6), someone()
    rates.shared_with(ana, frozenset({"pod-2"}))

    assert [await rates.take(ana) for _ in range(3)] == [0.0, 0.0, 0.0]
    wait = await rates.take(ana)

    assert 0 < wait <= 0.2
    await eventually(lambda: _granted(rates, ana), "the budget fills again", 2)


async def _granted(rates: EventRates, user: UserId) -> bool:
    return await rates.take(user) == 0.0


async def test_users_have_budgets_of_their_own(limits: Limits) -> None:
    rates = limits.rates(1, 60)
    for _ in range(3):
        assert await rates.take(someone()) == 0.0


@pytest.mark.integration
async def test_two_pods_share_one_budget(redis_url: str) -> None:
    commands = RedisCommands(parse_address(redis_url))
    await commands.start()
    here, there = RedisEventRates(commands, 10, 60), RedisEventRates(commands, 10, 60)
    ana = someone()
    for _ in range(4):
        assert await here.take(ana) == 0.0

    here.shared_with(ana, frozenset({"there"}))
    there.shared_with(ana, frozenset({"here"}))
    await eventually(lambda: not here._asking, "what was used is told")
    taken = await asyncio.gather(*(there.take(ana) for _ in range(10)))

    assert sum(wait == 0.0 for wait in taken) == 6
    await commands.stop()


@pytest.mark.integration
async def test_two_users_shared_in_one_turn_cost_nobody_his_reply(redis_url: str) -> None:
    commands = RedisCommands(parse_address(redis_url))
    await commands.start()
    rates, ana, bruno = RedisEventRates(commands, 10, 60), someone(), someone()
    for user in (ana, bruno):
        assert await rates.take(user) == 0.0

    for user in (ana, bruno):
        rates.shared_with(user, frozenset({"there"}))
    await eventually(lambda: not rates._asking, "what was used is told")
    replies = [await commands.call("ECHO", number) for number in range(3)]

    assert replies == [b"0", b"1", b"2"]
    await commands.stop()


@pytest.mark.integration
async def test_places_of_a_dead_pod_come_free_and_a_late_one_goes_first(redis_url: str) -> None:
    commands = RedisCommands(parse_address(redis_url))
    await commands.start()
    dead, late, here = (RedisPlaces(commands, name, CAP) for name in ("dead", "late", "here"))
    ana = someone()
    await here.take(ana, connection("first"))
    await late.take(ana, connection("late"))
    await dead.take(ana, connection("dead"))
    now = int((await commands.call("TIME"))[0]) * 1000
    await commands.call("HSET", "pytake:pods", "dead", now - 14_000, "late", now - 7_000)
    await here.beat()

    into_the_dead_one = await here.take(ana, connection("second"))
    over_the_cap = await here.take(ana, connection("third"))

    assert not into_the_dead_one.must_go
    assert [place.connection_id for place in over_the_cap.must_go] == [connection("late")]
    await commands.stop()


@pytest.mark.integration
async def test_places_of_the_version_before_are_older_than_ours(redis_url: str) -> None:
    commands = RedisCommands(parse_address(redis_url))
    await commands.start()
    places, ana = RedisPlaces(commands, "new-pod", CAP), someone()
    entered = int((await commands.call("TIME"))[0]) * 1000
    key = places_key(ana)
    await commands.call("HSET", key, "#", 9, "later", f"old-pod 9 {entered}")
    await commands.call("HSET", key, "earlier", f"old-pod 8 {entered}")

    seated = await places.assert_all({ana: {connection("asserted"): 3600}})
    first, second = [await places.take(ana, connection(name)) for name in ("new", "newer")]

    assert not seated
    assert [place.connection_id for place in first.must_go] == ["earlier"]
    assert [place.connection_id for place in second.must_go] == ["later"]
    await commands.stop()


@pytest.mark.integration
async def test_a_refused_heartbeat_ends_nothing(redis_url: str) -> None:
    commands = RedisCommands(parse_address(redis_url))
    await commands.start()
    await commands.call("SET", "pytake:pods", "no hash")
    places, ana = RedisPlaces(commands, "pod-1", CAP), someone()

    await places.beat()
    seatings = [await places.take(ana, connection(name)) for name in range(CAP + 1)]
    await commands.call("DEL", "pytake:pods")
    await places.beat()

    assert [len(seating.must_go) for seating in seatings] == [0, 0, 0, 1]
    assert await commands.call("HKEYS", "pytake:pods") == [b"pod-1"]
    await commands.stop()


@pytest.mark.integration
async def test_a_refused_place_hides_no_other_user_from_the_cap(redis_url: str) -> None:
    commands = RedisCommands(parse_address(redis_url))
    await commands.start()
    places, ana, bruno = RedisPlaces(commands, "pod-1", CAP), someone(), someone()
    await commands.call("SET", places_key(bruno), "no hash")
    ages = {connection(number): 9.0 - number for number in range(CAP + 1)}

    must_go = await places.assert_all({ana: ages, bruno: {connection("his"): 9}})

    assert must_go == [(ana, Place(connection(0), "pod-1"))]
    assert not places.is_shared
    await commands.stop()


@pytest.mark.integration
async def test_limits_go_on_by_themselves_while_redis_is_away(redis_url: str) -> None:
    commands = RedisCommands(parse_address(redis_url))
    await commands.start()
    places, rates = RedisPlaces(commands, "pod-1", CAP), RedisEventRates(commands, 2, 60)
    ana = someone()
    rates.shared_with(ana, frozenset({"pod-2"}))
    await commands.stop()

    for name in range(CAP):
        assert not (await places.take(ana, connection(name))).must_go
    seating = await places.take(ana, connection("more"))
    answers = [await rates.take(ana) for _ in range(3)]

    assert [place.connection_id for place in seating.must_go] == [connection(0)]
    assert answers[:2] == [0.0, 0.0]
    assert answers[2] > 0
    assert not places.is_shared
