"""Light work for an hour with clients that come and go, and what is left of it afterwards.

    python tests/load/soak.py                     # an hour: 60 agents, 1 message/s
    python tests/load/soak.py --seconds 120

Two gateways, API, relay, Redis and PostgreSQL. A first short round fills pools and caches; then
the pods' counts are read at rest, through the load, and at rest again. Exits 1 when connections,
rooms, subscriptions, tasks, file descriptors or places in Redis do not return to where they
began, or memory grows by more than allowed once it has settled.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.cluster import Cluster
from pytake.bench import report, watch
from pytake.bench.mixed import Soak
from pytake.bench.plan import Plan, Shape
from pytake.bench.result import Result
from pytake.bench.run import Run
from pytake.bench.world import People, address_of, make_world

ALLOWED_MB_PER_HOUR = 4.0
LINGER_SECONDS = 15.0
"""A room's subscription, an idle connection to the API: gone by then, or a leak."""


@dataclass(frozen=True)
class Load:
    """How much, for how long."""

    seconds: float = 3600
    connections: int = 60
    per_second: float = 1
    churn_per_minute: float = 0.3
    every_seconds: float = 30
    resting_samples: int = 3


def soak(cluster: Cluster, load: Load) -> tuple[watch.Watch, Result]:
    """Run it on a cluster on which nobody else is."""
    pods = {pod.name: pod.inner_address for pod in cluster.pods}
    run_for(cluster, load, seconds=min(20, load.seconds / 4))
    places = {"places in Redis": lambda: count_places(cluster)}
    with watch.Watch(pods, every_seconds=load.every_seconds, more=places) as watching:
        watching.rest("before", load.resting_samples, after_seconds=LINGER_SECONDS)
        watching.enter("load")
        result = run_for(cluster, load, seconds=load.seconds)
        watching.rest("after", load.resting_samples, after_seconds=LINGER_SECONDS)
    return watching, result


def run_for(cluster: Cluster, load: Load, *, seconds: float) -> Result:
    rooms = max(2, load.connections // 5)
    shape = Shape(
        connections=load.connections,
        rooms=rooms,
        seconds=seconds,
        repetitions=1,
        per_second=load.per_second,
        churn_per_minute=load.churn_per_minute,
        settle_seconds=1,
    )
    gateways = [address_of(pod.address) for pod in cluster.gateways]
    api = address_of(cluster.apis[0].address)
    people = People(load.connections, rooms, organizations=2)

    def sign(user: str, organization: str, role: str) -> str:
        lifetime = seconds + 600
        return cluster.token(user, organization=organization, role=role, lifetime_seconds=lifetime)

    dialect, seats = make_world(gateways[0], sign, people, api)
    plan = Plan("soak", shape, gateways[0], dialect, seats, api=api, addresses=tuple(gateways[1:]))
    return Run(plan, Soak(), processes=len(gateways), pids=[pod.pid for pod in cluster.pods])()


def count_places(cluster: Cluster) -> float:
    with cluster.redis.client() as redis:
        keys = list(redis.scan_iter("pytake:places:*", count=1000))
        # "#" numbers the places of a user, and expires by itself.
        return sum(len(set(redis.hkeys(key)) - {b"#"}) for key in keys)


def is_kept(watching: watch.Watch, load: Load) -> bool:
    slopes = [course.slope_mb_per_hour() for course in watching.courses.values()]
    # In a minute a slope says nothing: one more page of memory is megabytes an hour.
    is_long = load.seconds >= 1800
    grows = is_long and any(s is None or s > ALLOWED_MB_PER_HOUR for s in slopes)
    return not grows and all(rest.has_returned for rest in watch.rests(watching))


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=Load.seconds)
    parser.add_argument("--connections", type=int, default=Load.connections)
    parser.add_argument("--rate", type=float, default=Load.per_second)
    parser.add_argument("--out", type=Path, help="write the samples here as JSON")
    asked = parser.parse_args(words)
    load = Load(asked.seconds, asked.connections, asked.rate)
    with Cluster() as cluster:
        watching, result = soak(cluster, load)
    print(report.table(result))
    print()
    print(watch.table(watching, ALLOWED_MB_PER_HOUR))
    if asked.out:
        courses = {
            name: {phase: [vars(s) for s in samples] for phase, samples in course.samples.items()}
            for name, course in watching.courses.items()
        }
        asked.out.write_text(json.dumps(courses))
    kept = is_kept(watching, load)
    print(f"promise (everything returns to where it began): {'kept' if kept else 'BROKEN'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
