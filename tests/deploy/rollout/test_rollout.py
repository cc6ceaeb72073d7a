"""A small release is upgraded and rolled back under load; `make rollout` is the large one."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from chaos.workload import Load, Workload
from cluster.postgres_server import PostgresServer
from cluster.waiting import scaled
from conftest import left_out_if_missing
from deploy.rollout.release import Present, Release
from deploy.rollout.report import Noticed, noticed
from deploy.rollout.versions import next_version

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LOAD = Load(conversations=6, readers=30, joined_by_each=2, messages_per_second=20)
# The chart's own arithmetic with smaller numbers: the sum is still checked by the chart.
SMALL: dict[str, Any] = {
    "drain": {"propagationSeconds": 3, "windowSeconds": 4, "slackSeconds": 6},
    "gateway": {"replicaCount": 2, "minReadySeconds": 1},
    "api": {"minReadySeconds": 1},
    "relay": {"minReadySeconds": 1, "replicaCount": 1},
}


def promises_kept(result: Noticed) -> None:
    """Gaps are judged at full size, on a quiet machine; here it is what was lost."""
    broken = result.broken_promises(longest_gap=scaled(15), peak_factor=1_000)
    assert broken == [], str(result)


async def test_an_upgrade_and_the_way_back_cost_nobody_a_message(
    postgres_server: PostgresServer,
) -> None:
    with left_out_if_missing():
        release = Release(SMALL, postgres=postgres_server)
    release.versions["next"] = next_version(release.folder)
    async with release:
        await release.install()
        async with Workload(release, LOAD, random.Random(1)) as workload:
            await workload.all_whole()
            workload.start_writing()
            began = time.monotonic()

            await release.upgrade("next")
            assert {pod.version for pod in release.deployments["gateway"].living} == {"next"}
            await release.rollback(Present)

            await workload.stop_writing()
            await workload.read_the_truth()
            await workload.settle()
            result = noticed(release, workload, began)
    promises_kept(result)
    assert result.moves >= 2 * LOAD.readers, "everybody moved, in each direction"


async def test_a_pod_that_does_not_drain_would_be_noticed(postgres_server: PostgresServer) -> None:
    """Without the hook and the window connections are cut: the report must show it."""
    with left_out_if_missing():
        release = Release(SMALL, settings={"PYTAKE_DRAIN_SECONDS": "0"}, postgres=postgres_server)
    async with release:
        await release.install()
        async with Workload(release, LOAD, random.Random(1)) as workload:
            await workload.all_whole()
            workload.start_writing()
            began = time.monotonic()

            await release.deployments["gateway"].scale(1)

            await workload.stop_writing()
            await workload.read_the_truth()
            await workload.settle()
            result = noticed(release, workload, began)
    assert result.forced > 0
    assert max(result.gaps) > 0
    assert (result.lost, result.duplicated, result.violations) == (0, 0, [])
