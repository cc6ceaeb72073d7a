"""Runs scenarios and prints what came of them; `make chaos` is `python -m chaos.run`."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from typing import Any

from chaos.checker import Report, check
from chaos.sabotage import SabotagedCluster
from chaos.scenarios import SCENARIOS, Scenario
from chaos.workload import Workload
from cluster.cluster import Cluster

HEAD = (
    f"{'scenario':<28}{'sent':>7}{'events':>8}{'delivered':>10}{'lost':>6}{'twice':>6}"
    f"{'order':>6}{'p99 ms':>9}{'whole p50':>10}{'p99 s':>7}  result"
)


def cluster_of(scenario: Scenario) -> Cluster:
    """Return the cluster in which the story is told."""
    options: dict[str, Any] = {"gateways": scenario.gateways, "apis": 1, "relays": 1}
    if scenario.sabotage:
        how, *kinds = scenario.sabotage
        return SabotagedCluster(how, kinds, settings=scenario.settings, **options)
    return Cluster(settings=scenario.settings, **options)


async def run_scenario(scenario: Scenario, seed: int) -> Report:
    """Start a cluster, tell the story under load, and check the histories."""
    cluster = cluster_of(scenario)
    await asyncio.to_thread(cluster.start)
    try:
        dice = random.Random(seed)
        async with Workload(cluster, scenario.load, dice) as workload:
            await workload.all_whole(120)
            workload.start_writing()
            await scenario.story(workload)
            await workload.stop_writing()
            await workload.settle(60)
            return check(workload.history)
    finally:
        await asyncio.to_thread(cluster.stop)


def line_of(name: str, report: Report) -> str:
    """Return the row of the table."""

    def shown(figure: float | None, factor: float, decimals: int) -> str:
        return "-" if figure is None else f"{figure * factor:.{decimals}f}"

    return (
        f"{name:<28}{report.sent:>7}{report.events:>8}{report.delivered:>10}{report.lost:>6}"
        f"{report.duplicated:>6}{report.out_of_order:>6}"
        f"{shown(report.percentile(report.latencies, 99), 1000, 0):>9}"
        f"{shown(report.percentile(report.recoveries, 50), 1, 2):>10}"
        f"{shown(report.percentile(report.recoveries, 99), 1, 2):>7}"
        f"  {'ok' if report.is_clean else f'{len(report.violations)} violations'}"
    )


async def _run(names: list[str], seed: int) -> int:
    print(f"seed {seed}\n{HEAD}", flush=True)
    delivered, failed = 0, []
    for name in names:
        began = time.monotonic()
        report = await run_scenario(SCENARIOS[name], seed)
        print(f"{line_of(name, report)} ({time.monotonic() - began:.0f} s)", flush=True)
        for violation in report.violations[:10]:
            print(f"    {violation}", flush=True)
        delivered += report.delivered
        if not report.is_clean:
            failed.append(name)
    print(
        f"{delivered} deliveries checked in {len(names)} scenarios, {len(failed)} with violations"
    )
    return 1 if failed else 0


def main() -> int:
    """Parse the arguments and run; 1 when any scenario shows a violation."""
    parser = argparse.ArgumentParser(prog="python -m chaos.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="scenario", help=", ".join(SCENARIOS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in SCENARIOS]:
        parser.error(f"unknown: {', '.join(unknown)}")
    return asyncio.run(_run(options.names or list(SCENARIOS), options.seed))


if __name__ == "__main__":
    sys.exit(main())
