"""What the rush of one organization costs the others, at one API process.

    python tests/load/organization_share.py                 # 5 organizations, 20 s a phase
    python tests/load/organization_share.py --seconds 5

Quiet organizations read and write at a fixed rate that does not wait for answers. Then one
more sends twenty times as much as each of them. Prints their p50 and p99 with and without
it, phases interleaved so that the machine's own moods are in both, and exits 1 when the
p99 moves by more than the promise allows.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.cluster import Cluster

ALLOWED = 0.10
TIMES = 20


@dataclass
class Organization:
    """Some bots of one organization, and how long their requests took."""

    tokens: list[str]
    conversation_id: str = ""
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


async def request(
    session: aiohttp.ClientSession, url: str, organization: Organization, number: int
) -> None:
    token = organization.tokens[number % len(organization.tokens)]
    path = f"{url}/api/v1/conversations/{organization.conversation_id}/messages"
    headers = {"Authorization": f"Bearer {token}"}
    began = time.perf_counter()
    if number % 2:
        call = session.get(path, headers=headers, params={"limit": "20"})
    else:
        call = session.post(path, headers=headers, json={"content": {"text": str(number)}})
    async with call as answer:
        await answer.read()
    organization.seconds.append(time.perf_counter() - began)
    organization.statuses[answer.status] += 1


async def drive(
    session: aiohttp.ClientSession, url: str, who: Organization, rate: float, seconds: float
) -> None:
    """Send at a fixed rate, whatever the answers do."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            group.create_task(request(session, url, who, number))


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share) - 1)]


async def measure(cluster: Cluster, arguments: argparse.Namespace) -> int:
    url = cluster.apis[0].address
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def organization() -> Organization:
            name = str(uuid4())
            tokens = [
                cluster.token(f"bot-{each}-{name}", organization=name, role="bot")
                for each in range(4)
            ]
            made = Organization(tokens)
            body = {"contact": {"name": "Rui", "phone": "+5511987654321"}}
            async with session.post(
                f"{url}/api/v1/conversations",
                json=body,
                headers={"Authorization": f"Bearer {tokens[0]}"},
            ) as answer:
                made.conversation_id = (await answer.json())["id"]
            return made

        others = [await organization() for _ in range(arguments.organizations)]
        rushing = await organization()
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(arguments.rounds):
            for figures, has_rush in ((alone, False), (beside, True)):
                for each in others:
                    each.seconds.clear()
                async with asyncio.TaskGroup() as group:
                    for each in others:
                        group.create_task(
                            drive(session, url, each, arguments.rate, arguments.seconds)
                        )
                    if has_rush:
                        rate = arguments.rate * TIMES
                        group.create_task(drive(session, url, rushing, rate, arguments.seconds))
                figures.extend(value for each in others for value in each.seconds)
    refused = sum((each.statuses for each in others), Counter())
    for name, figures in (("alone", alone), ("beside the rush", beside)):
        p50, p99 = percentile(figures, 0.5), percentile(figures, 0.99)
        print(f"{name:<16} p50 {p50 * 1000:7.2f} ms   p99 {p99 * 1000:7.2f} ms   n={len(figures)}")
    moved = percentile(beside, 0.99) / percentile(alone, 0.99) - 1
    print(f"p99 moved by {moved:+.1%} (allowed {ALLOWED:.0%})")
    print(f"answers of the others {dict(refused)}, of the rush {dict(rushing.statuses)}")
    return 0 if moved <= ALLOWED else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organizations", type=int, default=5)
    parser.add_argument("--rate", type=float, default=4, help="requests a second of each")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    # The quota is twice the share, so that an ordinary peak is let through.
    quota = {"PYTAKE_ORGANIZATION_RATE_LIMIT": f"{round(arguments.rate * 2)}/1"}
    with Cluster(gateways=0, apis=1, relays=0, settings=quota) as cluster:
        return asyncio.run(measure(cluster, arguments))


if __name__ == "__main__":
    sys.exit(main())
