"""The product under each scenario of `pytake bench`: the table of docs/performance.md.

    make performance                       # five minutes on a machine that does nothing else
    python tests/load/product_table.py --only latency,storm

Two gateways, API, relay, Redis and PostgreSQL, all limits on; clients in C go straight to the
gateways, posts to the API. Then polling against sockets. Exits 1 when the generator cost more a
frame than the server, since its latencies would be its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.cluster import Cluster
from pytake.bench import report, seed_table
from pytake.bench.mixed import Mixed
from pytake.bench.plan import Plan, Shape
from pytake.bench.result import Result
from pytake.bench.run import Run
from pytake.bench.scenarios import Connect, Fanout, Inbound, Latency, Storm
from pytake.bench.server_figures import with_children
from pytake.bench.world import People, address_of, make_world


@dataclass(frozen=True)
class Row:
    """One scenario at one size, and the figures of it that are told."""

    scenario: type[Any]
    shape: Shape
    figures: tuple[str, ...]
    organizations: int = 0


LATENCIES = ("p50_ms", "p99_ms", "server_core")
ROWS = {
    "connect": Row(
        Connect,
        Shape(connections=1000, rooms=100, settle_seconds=2),
        ("per_second", "p50_ms", "p99_ms", "server_us_per_op", "server_kb_per_connection"),
    ),
    "latency": Row(Latency, Shape(connections=200, rooms=50, per_second=50, seconds=8), LATENCIES),
    "fanout": Row(
        Fanout,
        Shape(connections=500, rooms=1, seconds=4),
        ("per_second", "p50_ms", "p99_ms", "server_us_per_frame", "generator_us_per_frame"),
    ),
    "inbound": Row(
        Inbound,
        Shape(connections=500, rooms=50, per_second=4000, seconds=4),
        ("per_second", "p50_ms", "p99_ms", "server_us_per_op", "generator_us_per_frame"),
    ),
    "storm": Row(
        Storm,
        Shape(connections=1000, rooms=100, settle_seconds=3),
        ("back_half_seconds", "back_99_seconds", "back_all_seconds", "peak_connects_per_second"),
    ),
    "mixed": Row(
        Mixed,
        Shape(connections=200, rooms=100, per_second=20, seconds=10),
        LATENCIES,
        organizations=4,
    ),
}


def run(cluster: Cluster, name: str, row: Row) -> Result:
    gateways = [address_of(pod.address) for pod in cluster.gateways]
    api = address_of(cluster.apis[0].address)
    people = People(row.shape.connections, row.shape.rooms, row.organizations)
    dialect, seats = make_world(gateways[0], lambda *who: sign(cluster, *who), people, api)
    plan = Plan(
        name, row.shape, gateways[0], dialect, seats, api=api, addresses=tuple(gateways[1:])
    )
    watched = [pod.pid for pod in cluster.gateways]
    if name not in ("connect", "inbound"):  # those touch nothing else for long
        watched += [pod.pid for pod in cluster.pods if pod.pid not in watched]
        watched += [*with_children(cluster.postgres.pid), cluster.redis.pid]
    return Run(plan, row.scenario(), processes=len(gateways), pids=watched)()


def sign(cluster: Cluster, user: str, organization: str, role: str) -> str:
    return cluster.token(user, organization=organization, role=role)


def seed(cluster: Cluster) -> str:
    """Polling against sockets, on one gateway and the API."""
    gateway, api = (address_of(pod.address) for pod in (cluster.gateways[0], cluster.apis[0]))
    people = People(50, 10)
    dialect, seats = make_world(gateway, lambda *who: sign(cluster, *who), people, api)
    ways = asyncio.run(seed_table.compare(gateway, dialect, seats, per_second=2, seconds=20))
    return seed_table.table(*ways)


def markdown(result: Result, row: Row) -> str:
    spread, shape = result.spread(), result.shape
    cells = []
    for name in row.figures:
        if name in spread:
            median, least, most = map(report.number, spread[name])
            title = report.title_of(name, result)
            cells.append(f"{title}: {median} ({least}–{most})")
    size = f"{shape['connections']:,} clients, {shape['rooms']} rooms"
    if row.scenario in (Latency, Mixed, Inbound):
        size += f", {shape['per_second']:g}/s"
    return f"| {result.scenario} | {size} | " + "; ".join(cells) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join([*ROWS, "seed"]))
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all results here")
    parser.add_argument("--html", type=Path, help="write a page with plots here")
    asked = parser.parse_args()
    wanted = asked.only.split(",")
    results, lines, is_cheap = [], [], True
    with Cluster() as cluster:
        for name, row in ROWS.items():
            if name in wanted:
                shape = replace(row.shape, repetitions=asked.repetitions)
                result = run(cluster, name, replace(row, shape=shape))
                print(report.table(result), end="\n\n", flush=True)
                results.append(result)
                lines.append(markdown(result, row))
                is_cheap &= not any("costs more" in each for each in result.warnings())
        if "seed" in wanted:
            lines += ["", seed(cluster)]
    print("| scenario | size | median (least–greatest of the repetitions) |\n|---|---|---|")
    print("\n".join(lines))
    if asked.json:
        asked.json.write_text(json.dumps([result.as_json() for result in results], indent=1))
    if asked.html:
        asked.html.write_text(report.page(results, "tests/load/product_table.py"))
    print(f"promise (the generator costs less than the server): {'kept' if is_cheap else 'BROKEN'}")
    return 0 if is_cheap else 1


if __name__ == "__main__":
    sys.exit(main())
