"""What breaks, one story each. A story starts with every reader whole and writers writing.

`make chaos` runs them all; a short seeded mix is part of `make test`. Each ends when the cluster
is whole again: writers have stopped, and readers have reached the end of every log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from chaos.faulty_proxy import FaultyProxy
from chaos.promises import CAUGHT_UP, MOVED_UNNOTICED, WHOLE_AGAIN, Promise
from chaos.sabotage import heal
from chaos.stalled_reader import StalledReaders, narrow_session
from chaos.workload import Load, Workload
from cluster.pods import Pod
from cluster.programs import Program

STALLED_BYTES = 64 * 2**20
"""By how much 500 connections that do not read may let both pods together grow."""

Story = Callable[[Workload], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """A story, and the load under which it is told."""

    name: str
    story: Story
    load: Load = field(default_factory=Load)
    gateways: int = 2
    settings: dict[str, str] = field(default_factory=dict)
    sabotage: tuple[Any, ...] = ()
    """A way of `chaos.sabotage`, and the kinds of pods that it befalls."""
    has_customers: bool = False
    """Whether customers write, too, and the provider reports what became of our messages."""
    relays: int = 1
    has_hosts: bool = False
    """Whether Redis, PostgreSQL and the gateways are hosts of their own, with links to cut."""
    promises: tuple[Promise, ...] = ()
    """Bounds that the issue names for this story; `make chaos` judges them."""


async def _calm(seconds: float) -> None:
    """Let traffic flow: what breaks must break under load, and heal under load."""
    await asyncio.sleep(seconds)


def _any(workload: Workload, pods: list[Pod]) -> Pod:
    return workload.dice.choice(pods)


async def _restart(pod: Pod) -> None:
    await asyncio.to_thread(pod.start)
    await asyncio.to_thread(pod.wait_until_serving)


async def nothing_breaks(workload: Workload) -> None:
    """What all others are compared with: two hundred agents, a minute, and nothing goes wrong."""
    await _calm(60)


async def gateway_killed(workload: Workload) -> None:
    pod = _any(workload, workload.cluster.gateways)
    pod.kill()
    await _calm(4)
    await _restart(pod)
    await _calm(2)


async def gateways_killed(workload: Workload) -> None:
    """One after the other, so that many clients have lost theirs."""
    for _ in range(4):
        await gateway_killed(workload)


async def gateway_frozen(workload: Workload) -> None:
    pod = _any(workload, workload.cluster.gateways)
    pod.freeze()
    await _calm(20)
    pod.thaw()
    await _calm(4)


async def api_killed(workload: Workload) -> None:
    for _ in range(3):
        pod = _any(workload, workload.cluster.apis)
        await _calm(1 + workload.dice.random())
        pod.kill()
        await _restart(pod)
    await _calm(2)


async def api_dies_before_publish(workload: Workload) -> None:
    """The API ends itself between a commit and its publish, again and again."""
    (pod,) = workload.cluster.apis
    for deaths_left in reversed(range(5)):
        while pod.is_running:
            await asyncio.sleep(0.05)
        await asyncio.to_thread(pod.wait, 10)
        if deaths_left == 0:
            heal(pod)
        await _restart(pod)
    await _calm(3)


async def relay_killed(workload: Workload) -> None:
    """Without Redis for a moment much is left behind; the relay dies while it publishes that."""
    redis, relay = workload.cluster.redis, _any(workload, workload.cluster.relays)
    redis.kill()
    await _calm(3)
    redis.start()
    redis.wait_until_serving()
    await _calm(workload.dice.random())
    relay.kill()
    await _calm(1)
    await _restart(relay)
    await _calm(3)


async def redis_restarted_empty(workload: Workload) -> None:
    redis = workload.cluster.redis
    redis.kill()
    await _calm(5)
    redis.start()
    await asyncio.to_thread(redis.wait_until_serving)
    await _calm(4)


async def redis_paused(workload: Workload) -> None:
    redis = workload.cluster.redis
    redis.freeze()
    await _calm(60)
    redis.thaw()
    workload.mark("redis is back")
    await _calm(10)


async def redis_paused_shortly(workload: Workload) -> None:
    redis = workload.cluster.redis
    redis.freeze()
    await _calm(6)
    redis.thaw()
    await _calm(4)


async def subscribers_cut(workload: Workload) -> None:
    for _ in range(5):
        with workload.cluster.redis.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await _calm(1.5)


async def postgres_restarted(workload: Workload) -> None:
    await asyncio.to_thread(workload.cluster.postgres.restart)
    await _calm(5)


async def nginx_reloaded_and_restarted(workload: Workload) -> None:
    cluster = workload.cluster
    for _ in range(2):
        addresses = [pod.address for pod in cluster.gateways]
        await asyncio.to_thread(
            cluster.nginx.route, gateways=addresses, apis=[pod.address for pod in cluster.apis]
        )
        await _calm(2)
    cluster.nginx.kill()
    await _calm(0.5)
    cluster.nginx.start()
    await asyncio.to_thread(cluster.nginx.wait_until_serving)
    await _calm(3)


async def rolling_restart(workload: Workload) -> None:
    """Every gateway is replaced: the new one first, then the old one drains and ends."""
    cluster = workload.cluster
    await _calm(10)
    workload.mark("restart begins")
    for old in list(cluster.gateways):
        await asyncio.to_thread(cluster.add, "gateway")
        cluster.remove(old)
        status = await asyncio.to_thread(old.stop, 60)
        if status != 0:
            raise AssertionError(f"{old.name} ended with {status}")
        await _calm(1)
    workload.mark("restart is over")
    await _calm(2)
    if workload.refused_posts:
        raise AssertionError(f"{workload.refused_posts} posts failed: {workload.last_refusal}")


async def connections_cut(workload: Workload) -> None:
    """A third of the clients come through a proxy that cuts, stalls and half-closes."""
    async with FaultyProxy(workload.cluster.nginx.port, workload.dice) as proxy:
        for number in range(workload.load.readers // 3):
            joined = tuple(workload.dice.sample(workload.conversations, 5))
            workload.add_reader(f"shaken-{number}", joined, url=proxy.url)
        await _calm(1)
        for _ in range(8):
            proxy.shake()
            await _calm(1.5)
        proxy.calm_down()
        await workload.stop_writing()
        await workload.read_the_truth()
        await workload.settle(60)


async def readers_stalled(workload: Workload) -> None:
    """500 connections join and never read again, and some readers stop for a while.

    All of them are closed as slow consumers, the pods' memory stays flat, and who comes back
    misses nothing.
    """
    await _calm(3)
    session = workload.keep(narrow_session())
    async with StalledReaders(workload, count=500) as stalled:
        paused = [
            workload.add_reader(
                f"paused-{number}",
                tuple(workload.conversations),
                url=workload.cluster.gateways[number % 2].address,
                session=session,
            )
            for number in range(12)
        ]
        await workload.all_whole()
        for reader in paused:
            reader.stop_reading_for(15)
        peak = await stalled.watch_until_closed(within_seconds=60)
    await _calm(15)
    workload.history.notes.append(peak.sentence)
    never_closed = [reader.history.name for reader in paused if not reader.history.outages]
    if never_closed or peak.growth_bytes > STALLED_BYTES:
        raise AssertionError(f"{peak.sentence}; not closed and resumed: {never_closed}")


async def everybody_comes_back(workload: Workload) -> None:
    """All clients lose their connection at the same moment."""
    cluster = workload.cluster
    cluster.nginx.kill()
    await _calm(1)
    cluster.nginx.start()
    await asyncio.to_thread(cluster.nginx.wait_until_serving)
    await _calm(3)  # a connection whose end was not read yet still looks whole
    await workload.all_whole()
    await _calm(2)
    untouched = [each for each in workload.readers if not each.history.outages]
    if untouched:
        raise AssertionError(f"{len(untouched)} readers never lost their connection")


async def clients_move(workload: Workload) -> None:
    """Clients open a new connection while the old one lives: another network, a restored tab."""
    for _ in range(3):
        for reader in workload.readers:
            reader.move_after(workload.dice.random())
        await _calm(3)
    await _calm(13)


async def rights_change(workload: Workload) -> None:
    """Conversations change hands under load: who loses one sees nothing of it after that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(15):
            await _change_hands(workload, workload.conversations)


async def _change_hands(workload: Workload, conversations: list[str]) -> None:
    """Give conversations to this one and that one, or to everybody; some watch their lists."""
    agents = [reader.history.name for reader in workload.readers]
    for reader in workload.readers[:10]:
        workload.follow_list(reader)
    while True:
        conversation_id = workload.dice.choice(conversations)
        await workload.assign(conversation_id, workload.dice.choice([*agents, None]))
        await asyncio.sleep(0.2)


async def channel_disturbed(workload: Workload) -> None:
    """What brings webhooks in and messages out dies again and again, while customers write."""
    cluster = workload.cluster
    for _ in range(2):
        await relay_killed(workload)
        await api_killed(workload)
    await asyncio.to_thread(cluster.postgres.restart)
    await _calm(5)
    await gateway_killed(workload)


async def _pull_the_cable(program: Program, seconds: float) -> None:
    assert program.host is not None
    await asyncio.to_thread(program.host.cut)
    await _calm(seconds)
    await asyncio.to_thread(program.host.mend)


async def gateway_cut_off(workload: Workload) -> None:
    """Its clients hear nothing, not even an end; it hears neither them nor Redis nor the store."""
    await _pull_the_cable(_any(workload, workload.cluster.gateways), 25)
    await _calm(8)


async def redis_cut_off(workload: Workload) -> None:
    await _pull_the_cable(workload.cluster.redis, 20)
    workload.mark("redis is back")
    await _calm(8)


async def postgres_cut_off(workload: Workload) -> None:
    await _pull_the_cable(workload.cluster.postgres, 15)
    await _calm(8)


async def mixed(workload: Workload) -> None:
    """A seeded sequence of the quick ones without a pause, while conversations change hands."""
    stories = [
        gateway_killed, api_killed, relay_killed, redis_restarted_empty, redis_paused_shortly,
        subscribers_cut, postgres_restarted, nginx_reloaded_and_restarted,
    ]  # fmt: skip
    workload.dice.shuffle(stories)
    changing = asyncio.create_task(_change_hands(workload, workload.conversations[:4]))
    try:
        for story in stories:
            await story(workload)
    finally:
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)


QUICK_PINGS = {"PYTAKE_PING_INTERVAL": "4", "PYTAKE_PING_TIMEOUT": "4"}
"""Only pings tell a client that its gateway is out of reach; nobody waits 45 s for them here."""

CROWD = Load(
    conversations=100, readers=1000, joined_by_each=2, messages_per_second=100, organizations=20
)
CUSTOMERS = Load(conversations=40, readers=60, joined_by_each=10, messages_per_second=15)
WITH_CUSTOMERS: dict[str, Any] = {"has_customers": True, "relays": 2}

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "nothing breaks",
            nothing_breaks,
            Load(conversations=50, readers=200, joined_by_each=1, messages_per_second=50),
        ),
        Scenario(
            "gateway killed",
            gateways_killed,
            Load(readers=200, joined_by_each=3),
            promises=(WHOLE_AGAIN,),
        ),
        Scenario("gateway frozen 20 s", gateway_frozen),
        Scenario("api killed", api_killed),
        Scenario(
            "api dies before publish",
            api_dies_before_publish,
            sabotage=("die-before-publish", "api"),
        ),
        Scenario("relay killed", relay_killed),
        Scenario("redis restarted empty", redis_restarted_empty),
        Scenario("redis paused 60 s", redis_paused, promises=(CAUGHT_UP,)),
        Scenario("subscribers cut", subscribers_cut),
        Scenario("postgres restarted", postgres_restarted),
        Scenario("nginx reloaded, restarted", nginx_reloaded_and_restarted),
        Scenario("connections cut", connections_cut),
        Scenario(
            "rolling restart",
            rolling_restart,
            CROWD,
            settings={"PYTAKE_DRAIN_SECONDS": "10"},
            promises=(MOVED_UNNOTICED,),
        ),
        Scenario(
            "500 stalled readers",
            readers_stalled,
            Load(text_bytes=2000, joined_by_each=5),
        ),
        Scenario(
            "2,000 come back",
            everybody_comes_back,
            replace(CROWD, conversations=200, readers=2000, messages_per_second=50),
        ),
        Scenario("clients move", clients_move),
        Scenario("rights change", rights_change),
        Scenario("gateway's cable pulled", gateway_cut_off, settings=QUICK_PINGS, has_hosts=True),
        Scenario("redis's cable pulled", redis_cut_off, has_hosts=True, promises=(CAUGHT_UP,)),
        Scenario("postgres's cable pulled", postgres_cut_off, has_hosts=True),
        Scenario("customers, all disturbed", channel_disturbed, CUSTOMERS, **WITH_CUSTOMERS),
        Scenario(
            "customers, in batches",
            channel_disturbed,
            replace(CUSTOMERS, features=("status_batch",)),
            **WITH_CUSTOMERS,
        ),
        Scenario("mixed", mixed),
    )
}

SHORT_LOAD = Load(conversations=6, readers=20, joined_by_each=3, messages_per_second=30)


SABOTAGED = {
    "hole-check": Scenario(
        "no hole check", redis_restarted_empty, SHORT_LOAD, sabotage=("hole-check", "gateway")
    ),
    "unique-key": Scenario("no unique key", api_killed, SHORT_LOAD, sabotage=("unique-key", "api")),
    "fence": Scenario("no fence", clients_move, SHORT_LOAD, sabotage=("fence", "gateway")),
}
"""What the checker must report: a promise is switched off in each."""


async def short_mix(workload: Workload) -> None:
    """What `make test` has time for."""
    await gateway_killed(workload)
    await redis_restarted_empty(workload)
    await subscribers_cut(workload)
