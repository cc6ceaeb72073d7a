"""How far the simulation of `pytake bench capacity` is from real storms, at sizes that fit here.

    python tests/load/capacity_check.py

Two real gateways on one core, everything else and the clients on another; the simulation gets the
costs of costs.json and the same situation. All clients are cut and come back at once, three times
as many each time; then with a low handshake rate, so that most are refused first. Prints
both and the error; exits 1 when one is further off than promised.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.cluster import Cluster
from pytake.bench.capacity.costs import measured
from pytake.bench.capacity.simulation import Outcome, Situation, play
from pytake.bench.plan import Plan, Shape
from pytake.bench.result import Repetition
from pytake.bench.run import Run
from pytake.bench.scenarios import Storm
from pytake.bench.server_figures import with_children
from pytake.bench.world import People, address_of, make_world

ALLOWED_ERROR = 0.3
CORES = sorted(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Case:
    """A storm."""

    connections: int
    handshake_rate: float = 1000.0


CASES = (Case(300), Case(900), Case(2700), Case(900, handshake_rate=50))


def real(cluster: Cluster, case: Case) -> Repetition:
    """Cut everybody and wait until they are back."""
    gateways = [address_of(pod.address) for pod in cluster.gateways]
    api = address_of(cluster.apis[0].address)
    shape = Shape(
        connections=case.connections,
        rooms=case.connections // 10,
        repetitions=1,
        connecting_at_once=32,
        connects_per_second=case.handshake_rate * len(gateways) * 0.8,
    )
    people = People(case.connections, shape.rooms)

    def sign(user: str, organization: str, role: str) -> str:
        return cluster.token(user, organization=organization, role=role)

    dialect, seats = make_world(gateways[0], sign, people, api)
    plan = Plan("storm", shape, gateways[0], dialect, seats, api=api, addresses=tuple(gateways[1:]))
    run = Run(plan, _AtOnce(), processes=len(gateways), cpus=CORES[1:2])
    result = run()
    for warning in result.warnings():
        print(f"    ! {warning}")
    return result.repetitions[0]


class _AtOnce(Storm):
    """All at once, however slowly they came at first."""

    spreads = False


def simulated(case: Case, pods: int, connect_us: float) -> Outcome:
    situation = Situation(
        connections=case.connections,
        pods=pods,
        connect_us=connect_us,
        handshake_rate=case.handshake_rate,
        spread_seconds=0,
        client_patience_seconds=float("inf"),
        tries_of_proxy=1,
        cores=1,
    )
    return play("storm", situation)


def pin(cluster: Cluster) -> None:
    """Gateways to the first core, all others to the second."""
    if len(CORES) < 2:
        return
    gateways = {pod.pid for pod in cluster.gateways}
    others = [pod.pid for pod in cluster.pods if pod.pid not in gateways]
    others += [cluster.redis.pid, cluster.postgres.pid]
    for pid in (*gateways, *others):
        for each in with_children(pid):
            for thread in os.listdir(f"/proc/{each}/task"):
                os.sched_setaffinity(int(thread), {CORES[0] if pid in gateways else CORES[1]})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connect-us", type=float, default=0, help="instead of that of costs.json")
    parser.add_argument("--quick", action="store_true", help="the smallest storm alone")
    asked = parser.parse_args()
    cases = CASES[:1] if asked.quick else CASES
    connect_us = asked.connect_us or measured().gateway_connect_us
    worst = 0.0
    print(f"a handshake costs {connect_us:.0f} µs")
    print(f"{'clients':>8}{'rate':>6}{'':10}{'half s':>9}{'99 % s':>9}{'all s':>9}{'refused':>9}")
    for rate in sorted({case.handshake_rate for case in cases}, reverse=True):
        with Cluster(settings={"PYTAKE_HANDSHAKE_RATE": str(rate)}) as cluster:
            pin(cluster)
            for case in (each for each in cases if each.handshake_rate == rate):
                found = real(cluster, case).figures()
                expected = simulated(case, len(cluster.gateways), connect_us)
                pairs = [
                    (found["back_half_seconds"] or 0, expected.seconds_to_half),
                    (found["back_99_seconds"] or 0, expected.seconds_to_99_percent),
                    (found["back_all_seconds"] or 0, expected.seconds_to_whole),
                ]
                refused = (found["refusals"] or 0, float(expected.refusals))
                errors = [simulation / reality - 1 for reality, simulation in pairs if reality]
                worst = max([worst, *map(abs, errors[1:])])
                head = f"{case.connections:>8,}{rate:>6.0f}"
                for number, name in enumerate(("real", "simulated")):
                    cells = "".join(f"{pair[number]:>9.2f}" for pair in pairs)
                    print(
                        f"{head if number == 0 else '':14}  {name:8}{cells}{refused[number]:>9.0f}"
                    )
                print(f"{'':14}  {'error':8}" + "".join(f"{each:>+9.0%}" for each in errors))
    print(f"promise (99 % and all within {ALLOWED_ERROR:.0%}): ", end="")
    print("kept" if worst <= ALLOWED_ERROR else f"BROKEN, {worst:.0%}")
    return 0 if worst <= ALLOWED_ERROR else 1


if __name__ == "__main__":
    sys.exit(main())
