"""How often somebody may call, and what a refusal says."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request

from pytake.domain.errors import ErrorCode, TooMuch
from pytake.domain.ids import OrganizationId, UserId
from pytake.domain.principal import Principal, Role
from pytake.limits.fair_share import FairShare
from pytake.limits.http import HttpLimits
from pytake.limits.window_counts import WindowCounts

ACME, OTHER = OrganizationId("acme"), OrganizationId("other")


def principal(user: str, role: Role = Role.AGENT) -> Principal:
    return Principal(UserId(user), ACME, role, datetime(2030, 1, 1, tzinfo=UTC))


def request(address: str = "192.0.2.1") -> Request:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/users",
        "headers": [],
        "query_string": b"",
        "client": (address, 1),
    }
    return Request(scope)


def limits() -> HttpLimits:
    # Long windows: the tests never cross into the next one but for a second a day.
    return HttpLimits(
        user=(3, 86400.0), bot=(5, 86400.0), login=(2, 86400.0), organization=(20, 86400.0)
    )


async def test_a_user_has_one_budget_whatever_the_address() -> None:
    http = limits()
    for number in range(3):
        await http.admit(request(f"192.0.2.{number}"), principal("ana"))

    with pytest.raises(TooMuch) as caught:
        await http.admit(request(), principal("ana"))

    assert caught.value.code is ErrorCode.RATE_LIMITED
    assert caught.value.retry_after_ms is not None
    assert 0 < caught.value.retry_after_ms <= 2 * 86400 * 1000
    await http.admit(request(), principal("bruno"))


async def test_bots_have_a_larger_budget() -> None:
    http = limits()
    for _ in range(5):
        await http.admit(request(), principal("robot", Role.BOT))

    with pytest.raises(TooMuch):
        await http.admit(request(), principal("robot", Role.BOT))


async def test_who_has_not_signed_in_shares_the_budget_of_the_address() -> None:
    http = limits()
    for _ in range(3):
        await http.admit(request("2001:db8::1"), None)

    with pytest.raises(TooMuch):
        await http.admit(request("2001:db8::ffff"), None)
    await http.admit(request("2001:db8:0:1::1"), None)


async def test_logins_are_counted_by_address_and_by_account() -> None:
    http = limits()
    for number in range(2):
        await http.admit_login(request(f"192.0.2.{number}"), "ana@example.test")

    with pytest.raises(TooMuch):
        await http.admit_login(request("192.0.2.9"), "ana@example.test")
    for number in range(2):
        await http.admit_login(request("198.51.100.1"), f"{number}@example.test")
    with pytest.raises(TooMuch):
        await http.admit_login(request("198.51.100.1"), "2@example.test")


def test_an_organization_has_a_quota_for_all_of_its_users() -> None:
    http = limits()
    for _ in range(20):
        http.admit_organization(ACME)

    with pytest.raises(TooMuch) as caught:
        http.admit_organization(ACME)

    assert caught.value.code is ErrorCode.RATE_LIMITED
    http.admit_organization(OTHER)


async def test_one_request_may_pass_both_budgets() -> None:
    http, same = limits(), request()
    await http.admit(same, None)

    await http.admit_login(same, "ana@example.test")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0 * 60

    def __call__(self) -> float:
        return self.now


def hits(counts: WindowCounts, tries: int, limit: int = 10, seconds: int = 60) -> int:
    return sum(
        counts.acquire_sliding_window_entry("k", limit=limit, expiry=seconds) for _ in range(tries)
    )


def test_the_window_slides_and_no_border_gives_twice_the_limit() -> None:
    clock = Clock()
    counts = WindowCounts(clock=clock)
    clock.now += 59
    assert hits(counts, 20) == 10

    clock.now += 2
    assert hits(counts, 20) == 0
    clock.now += 30
    assert hits(counts, 20) == 5
    clock.now += 120
    assert hits(counts, 20) == 10


@pytest.mark.parametrize("into_the_window", [0.0, 13.0, 59.0])
@pytest.mark.parametrize("limit", [1, 3, 10])
def test_what_a_refusal_tells_to_wait_is_enough_and_not_too_much(
    into_the_window: float, limit: int
) -> None:
    clock = Clock()
    clock.now += into_the_window
    counts = WindowCounts(clock=clock)
    hits(counts, limit, limit)

    wait = counts.seconds_until_free("k", limit, 60)

    clock.now += wait * 0.98
    assert hits(counts, 1, limit) == 0
    clock.now += wait * 0.02 + 0.001
    assert hits(counts, 1, limit) == 1


def test_pods_know_of_each_other_after_an_exchange() -> None:
    clock = Clock()
    here, there = WindowCounts(clock=clock), WindowCounts(clock=clock)
    hits(here, 6)
    hits(there, 3)
    shared: dict[str, int] = {}

    for _ in range(2):
        for pod in (here, there):
            for key, (count, _) in pod.take_unshared().items():
                shared[key] = shared.get(key, 0) + count
            pod.learn(shared)

    assert hits(here, 20) == 1
    assert hits(there, 20) == 1


def test_what_could_not_be_shared_is_shared_later() -> None:
    counts = WindowCounts(clock=Clock())
    hits(counts, 4)
    lost = counts.take_unshared()
    counts.put_back(lost)
    hits(counts, 1)

    assert [count for count, _ in counts.take_unshared().values()] == [5]
    assert counts.take_unshared() == {}


def test_memory_is_bounded_and_the_past_is_forgotten() -> None:
    clock = Clock()
    counts = WindowCounts(clock=clock)
    for number in range(1000):
        counts.acquire_sliding_window_entry(f"k{number}", limit=1, expiry=1)

    clock.now += 3
    counts.take_unshared()

    assert counts.reset() == 0


# --- turns between organizations -----------------------------------------------------------


async def test_a_rush_of_one_organization_leaves_places_for_others() -> None:
    share = FairShare(running=4, waiting=100)
    release = asyncio.Event()

    async def work() -> None:
        async with share.turn(ACME):
            await release.wait()

    rush = [asyncio.ensure_future(work()) for _ in range(50)]
    await asyncio.sleep(0)

    async with asyncio.timeout(1), share.turn(OTHER):
        assert share.waiting(ACME) == 48
    release.set()
    await asyncio.gather(*rush)


async def test_free_places_go_round_among_those_who_wait() -> None:
    share = FairShare(running=1, waiting=100)
    order: list[str] = []

    async def work(organization_id: OrganizationId) -> None:
        async with share.turn(organization_id):
            order.append(organization_id)

    async with share.turn(OrganizationId("first")):
        waiting = [asyncio.ensure_future(work(ACME)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting += [asyncio.ensure_future(work(OTHER)) for _ in range(2)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)

    assert order == [ACME, OTHER, ACME, OTHER, ACME]


async def test_too_long_a_queue_is_refused_and_a_cancelled_wait_leaves_no_trace() -> None:
    share = FairShare(running=1, waiting=1)

    async def work() -> None:
        async with share.turn(ACME):
            pass

    async with share.turn(ACME):
        waiting = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        with pytest.raises(TooMuch) as caught:
            await work()
        assert caught.value.code is ErrorCode.OVERLOADED
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert share.waiting(ACME) == 0
    async with asyncio.timeout(1):
        await work()
