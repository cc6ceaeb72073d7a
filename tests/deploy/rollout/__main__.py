"""Upgrades, rolls back and scales a release under load; `make rollout` runs it."""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial

from chaos.checker import check
from chaos.phases import OwnLag
from chaos.workload import Load, Workload
from cluster.hosts import Network, missing
from cluster.waiting import eventually
from deploy.rollout.earlier_sdk import EarlierSdk, compiled_sdk
from deploy.rollout.release import Present, Release, spread
from deploy.rollout.report import noticed
from deploy.rollout.versions import earlier_version, next_version

LONGEST_GAP_SECONDS = 1.0
PEAK_FACTOR = 2.0
AGE_SECONDS = 60
ORGANIZATIONS = 20
EARLIER = "f71e48c"
"""The last commit with another schema; a release takes its place once there is one."""

Story = Callable[[Release], Awaitable[None]]


async def upgrade(release: Release) -> None:
    """To the next version: a migration that adds, then every pod of the three Deployments."""
    await release.upgrade("next")


async def from_earlier(release: Release) -> None:
    """From an earlier commit to the present one."""
    await release.upgrade(Present)


async def rollback(release: Release) -> None:
    """Back again, on the database that the next version has migrated."""
    await release.rollback(Present)


async def scale_in(release: Release) -> None:
    """One gateway less."""
    gateways = release.deployments["gateway"]
    await gateways.scale(gateways.replicas - 1)


async def scale_out(release: Release) -> None:
    """Two gateways more; connections spread as they reach their age."""
    gateways = release.deployments["gateway"]
    await gateways.scale(gateways.replicas + 2)

    async def is_even() -> bool:
        counts = await spread(release)
        return counts[0] * 2 >= sum(counts) / len(counts)

    await eventually(is_even, "no gateway has less than half of its share", 3 * AGE_SECONDS)
    print(f"    connections of each gateway: {await spread(release)}", flush=True)


FIRST = {"from-earlier": "earlier", "rollback": "next"}
"""What is installed before a story, where it is not the present version."""

STORIES: dict[str, list[Story]] = {
    "upgrade": [upgrade],
    "rollback": [rollback],
    "from-earlier": [from_earlier],
    "scale": [scale_in, scale_out],
}


async def tell(name: str, load: Load, values: dict[str, dict[str, int]]) -> bool:
    """Tell stories under load and print what users would have noticed; False if they did."""
    settings = {"PYTAKE_MAX_CONNECTION_AGE": str(AGE_SECONDS)} if name == "scale" else {}
    with Network() if missing() is None else nullcontext() as network:
        return await _tell(name, load, Release(values, settings=settings, network=network))


async def _tell(name: str, load: Load, release: Release) -> bool:
    release.versions["next"] = next_version(release.folder)
    release.versions["earlier"] = earlier_version(release.folder, EARLIER)
    told: list[tuple[Story, float, float]] = []
    sdk = compiled_sdk(release.folder, EARLIER)
    async with release:
        await release.install(FIRST.get(name, Present))
        async with (
            Workload(release, load, random.Random(1)) as workload,
            EarlierSdk(sdk, release, "sdk", workload.conversations[0]) as old_client,
            OwnLag() as lag,
        ):
            await workload.all_whole()
            workload.start_writing()
            await asyncio.sleep(5)  # some undisturbed traffic before
            for story in STORIES[name]:
                began = time.monotonic()
                await story(release)
                told.append((story, began, time.monotonic()))
            await asyncio.sleep(3)  # and after it
            await workload.stop_writing()
            await workload.read_the_truth()
            await workload.settle()
            log = workload.history.truth[workload.conversations[0]]
            messages = [row.seq for row in log if row.event == "message:new"]
            await eventually(partial(old_client.shows, messages), "the earlier SDK has all", 30)
            losses = (await old_client.stands())["losses"]
            print(f"the earlier SDK shows {len(messages)} messages, offline {len(losses)} times")
            report = check(workload.history)
            results = [noticed(release, workload, since, until, report) for _, since, until in told]
    broken = []
    for (story, since, until), result in zip(told, results, strict=True):
        # At an age of a minute whole rushes of clients come of age together: that is this test's.
        peak = math.inf if name == "scale" else PEAK_FACTOR
        print(f"{story.__name__} ({until - since:.0f} s): {result}", flush=True)
        if name == "from-earlier":
            # The API of that commit had no hook yet, which is how this was found.
            result.hook_failures.clear()
        broken += result.broken_promises(longest_gap=LONGEST_GAP_SECONDS, peak_factor=peak)
    print(f"    the readers themselves stood still for {lag.longest:.2f} s at worst", flush=True)
    for sentence in broken:
        print(f"    {sentence}", flush=True)
    return not broken


HURRY: dict[str, dict[str, int]] = {
    "drain": {"propagationSeconds": 3, "windowSeconds": 8, "slackSeconds": 6},
    "gateway": {"replicaCount": 2, "minReadySeconds": 1},
    "api": {"minReadySeconds": 1},
    "relay": {"minReadySeconds": 1, "replicaCount": 1},
}
"""Smaller numbers, with which a story is told in a minute. What is counted stays the same."""


async def _main(names: list[str], load: Load, values: dict[str, dict[str, int]]) -> int:
    return 0 if all([await tell(name, load, values) for name in names]) else 1


def main() -> int:
    """Parse the arguments and run; 1 when users would have noticed anything."""
    parser = argparse.ArgumentParser(prog="python -m deploy.rollout", description=__doc__)
    parser.add_argument("stories", nargs="*", metavar="story", help=", ".join(STORIES))
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100, help="messages a second")
    parser.add_argument("--hurry", action="store_true", help="other numbers than the chart's own")
    options = parser.parse_args()
    if unknown := [name for name in options.stories if name not in STORIES]:
        parser.error(f"unknown: {', '.join(unknown)}")
    load = Load(
        conversations=max(5, options.clients // 10),
        readers=options.clients,
        joined_by_each=2,
        messages_per_second=options.rate,
        # A conversation that nobody has taken is a row for every agent of its organization: in
        # one of 1,000 the readers of this machine would drown in rows.
        organizations=ORGANIZATIONS,
    )
    return asyncio.run(
        _main(options.stories or list(STORIES), load, HURRY if options.hurry else {})
    )


if __name__ == "__main__":
    sys.exit(main())
