"""Runs scenarios and prints what came of them; `make chaos` is `python -m chaos.run`."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from typing import Any

from chaos.checker import Report, check
from chaos.customers import Customers
from chaos.phases import OwnLag, Stuck, phase
from chaos.sabotage import SabotagedCluster
from chaos.scenarios import SCENARIOS, Scenario
from chaos.workload import Workload
from cluster.cluster import Cluster
from cluster.hosts import HostsMissing, Network

HEAD = (
    f"{'scenario':<28}{'sent':>7}{'events':>8}{'delivered':>10}{'lost':>6}{'twice':>6}"
    f"{'order':>6}{'p99 ms':>9}{'whole p50':>10}{'p99 s':>7}  result"
)

LAG_WORTH_TELLING = 0.2
LEFT_OUT = 3
"""The exit status where nothing failed, and something could not be tried on this machine."""


@contextmanager
def world_of(scenario: Scenario) -> Iterator[tuple[Cluster, Customers | None]]:
    """Run the cluster in which the story is told, and the customers who write to it.

    Raises:
        HostsMissing: The story needs hosts of their own, which this machine cannot have.
    """
    with Network() if scenario.has_hosts else nullcontext() as network:
        customers = Customers() if scenario.has_customers else None
        settings = scenario.settings | (customers.settings if customers else {})
        cluster = _cluster(scenario, settings=settings, network=network)
        try:
            cluster.start()
            if customers is not None:
                customers.start(cluster)
            yield cluster, customers
        finally:
            if customers is not None:
                customers.stop()
            cluster.stop()


def _cluster(scenario: Scenario, **options: Any) -> Cluster:
    options |= {"gateways": scenario.gateways, "apis": 1, "relays": scenario.relays}
    # What was answered must outlive a kill of PostgreSQL; the quick settings of tests forget.
    options["durable"] = True
    if scenario.sabotage:
        how, *kinds = scenario.sabotage
        return SabotagedCluster(how, kinds, **options)
    return Cluster(**options)


async def run_scenario(scenario: Scenario, seed: int, *, patience_seconds: float = 120) -> Report:
    """Start a cluster, tell the story under load, and check the histories.

    Raises:
        Stuck: A part of the run took longer than the patience; the message says what is missing.
    """
    world = world_of(scenario)
    cluster, customers = await asyncio.to_thread(world.__enter__)
    try:
        workload = Workload(cluster, scenario.load, random.Random(seed), customers)
        return await _tell_story(scenario, workload, patience_seconds)
    finally:
        await asyncio.to_thread(world.__exit__, None, None, None)


async def _tell_story(scenario: Scenario, workload: Workload, patience: float) -> Report:
    def part(what: str) -> AbstractAsyncContextManager[None]:
        return phase(f"{scenario.name}: {what}", patience, workload.missing)

    async with workload, OwnLag() as lag:
        async with part("every reader is whole"):
            await workload.all_whole()
        workload.start_writing()
        async with part("the story is told"):
            await scenario.story(workload)
        async with part("every post is acknowledged"):
            await workload.stop_writing()
        async with part("the store tells the truth"):
            await workload.read_the_truth()
        await workload.settle(patience / 2)
        report = check(workload.history)
        report.own_lag = lag.longest
        return report


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
    delivered = 0
    failed, left_out = [], []
    for name in names:
        began = time.monotonic()
        try:
            report = await run_scenario(SCENARIOS[name], seed)
        except HostsMissing as why:
            print(f"{name:<28}left out: {why}", flush=True)
            left_out.append(name)
            continue
        except Exception as broken:  # the next story may still be told
            what = str(broken) if isinstance(broken, Stuck | AssertionError) else repr(broken)
            seconds = time.monotonic() - began
            print(f"{name:<28}did not end ({seconds:.0f} s)\n    {what}", flush=True)
            failed.append(name)
            continue
        print(f"{line_of(name, report)} ({time.monotonic() - began:.0f} s)", flush=True)
        delivered += report.delivered
        if not _tell(SCENARIOS[name], report):
            failed.append(name)
    print(
        f"{delivered} deliveries checked in {len(names)} scenarios; "
        f"failed: {', '.join(failed) or 'none'}; left out: {', '.join(left_out) or 'none'}"
    )
    return 1 if failed else LEFT_OUT if left_out else 0


def _tell(scenario: Scenario, report: Report) -> bool:
    """Print what is behind the row; whether everything that was promised was kept."""
    verdicts = [promise.verdict(report) for promise in scenario.promises]
    lines = [sentence + ("" if kept else ": BROKEN") for kept, sentence in verdicts]
    lines += report.notes
    lines += report.violations[:10]
    if report.own_lag > LAG_WORTH_TELLING:
        lines.append(f"the readers themselves stood still for up to {report.own_lag:.2f} s")
    for line in lines:
        print(f"    {line}", flush=True)
    return report.is_clean and all(kept for kept, _ in verdicts)


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
