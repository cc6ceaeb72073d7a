"""What the rush of one organization costs the others, at one API process.

    python tests/load/organization_share.py                 # 8 organizations, 12 rounds
    python tests/load/organization_share.py --rounds 2

Quiet organizations read and write at a fixed rate that does not wait for answers. Then one
more sends twenty times as much as each of them, from a process of its own that takes only
time that nobody else wants: its sending, which is some other machine's work, would be taken
for a delay of the server. Prints their p50 and p99 with
and without it, phases interleaved so that the machine's own moods are in both, and exits 1
when the p99 moves by more than the promise allows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
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
SETTLE_SECONDS = 0.5
"""Between phases: what the one before left behind is not measured."""


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
    session: aiohttp.ClientSession,
    url: str,
    who: Organization,
    rate: float,
    seconds: float,
    phase: float = 0.0,
) -> None:
    """Send at a fixed rate, whatever the answers do; `phase` of a period later than others."""
    began = time.perf_counter() + phase / rate
    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            group.create_task(request(session, url, who, number))


async def rush(url: str, arguments: argparse.Namespace) -> None:
    """Be the organization that asks for too much, until told to end."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    tokens = json.loads(arguments.rush)
    who = Organization(tokens["tokens"], tokens["conversation_id"])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await drive(session, url, who, arguments.rate * TIMES, arguments.seconds)
    print(json.dumps(who.statuses))


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share) - 1)]


class Measurement:
    """Organizations at one API, and what their requests took alone and beside the rush."""

    def __init__(
        self, session: aiohttp.ClientSession, cluster: Cluster, arguments: argparse.Namespace
    ) -> None:
        self._session = session
        self._cluster = cluster
        self._arguments = arguments
        self._url = cluster.apis[0].address
        self.of_the_rush: Counter[str] = Counter()
        self.of_the_others: Counter[int] = Counter()

    async def organization(self) -> Organization:
        name = str(uuid4())
        tokens = [
            self._cluster.token(f"bot-{each}-{name}", organization=name, role="bot")
            for each in range(4)
        ]
        made = Organization(tokens)
        body = {"contact": {"name": "Rui", "phone": "+5511987654321"}}
        address = f"{self._url}/api/v1/conversations"
        headers = {"Authorization": f"Bearer {tokens[0]}"}
        async with self._session.post(address, json=body, headers=headers) as answer:
            made.conversation_id = (await answer.json())["id"]
        return made

    async def phase(self, others: list[Organization], rushing: Organization | None) -> list[float]:
        """Return what the requests of the others took."""
        for each in others:
            each.seconds.clear()
        seconds = self._arguments.seconds
        async with asyncio.TaskGroup() as group:
            if rushing is not None:
                group.create_task(self._rush(rushing))
                # Its interpreter starts; the others are measured once it is under way.
                await asyncio.sleep(1.5)
            for number, each in enumerate(others):
                rate = self._arguments.rate
                shift = number / len(others)
                group.create_task(drive(self._session, self._url, each, rate, seconds, shift))
        await asyncio.sleep(SETTLE_SECONDS)
        return [value for each in others for value in each.seconds]

    async def _rush(self, who: Organization) -> None:
        command = [sys.executable, __file__, "--rate", str(self._arguments.rate)]
        command += ["--seconds", str(self._arguments.seconds + 1), "--url", self._url]
        told = json.dumps({"tokens": who.tokens, "conversation_id": who.conversation_id})
        process = await asyncio.create_subprocess_exec(
            *command, "--rush", told, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        self.of_the_rush.update(json.loads(output))


async def measure(cluster: Cluster, arguments: argparse.Namespace) -> int:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        measurement = Measurement(session, cluster, arguments)
        others = [await measurement.organization() for _ in range(arguments.organizations)]
        rushing = await measurement.organization()
        await measurement.phase(others, None)
        alone: list[float] = []
        beside: list[float] = []
        for number in range(arguments.rounds):
            # Which comes first changes, too.
            for has_rush in (False, True) if number % 2 else (True, False):
                figures = await measurement.phase(others, rushing if has_rush else None)
                (beside if has_rush else alone).extend(figures)
    for name, figures in (("alone", alone), ("beside the rush", beside)):
        p50, p99 = percentile(figures, 0.5), percentile(figures, 0.99)
        print(f"{name:<16} p50 {p50 * 1000:7.2f} ms   p99 {p99 * 1000:7.2f} ms   n={len(figures)}")
    moved = percentile(beside, 0.99) / percentile(alone, 0.99) - 1
    print(f"p99 moved by {moved:+.1%} (allowed {ALLOWED:.0%})")
    answers = sum((each.statuses for each in others), Counter())
    print(f"answers of the others {dict(answers)}, of the rush {dict(measurement.of_the_rush)}")
    return 0 if moved <= ALLOWED else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organizations", type=int, default=8)
    parser.add_argument("--rate", type=float, default=10, help="requests a second of each")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--rush", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rush:
        asyncio.run(rush(arguments.url, arguments))
        return 0
    # The quota is twice the share, so that an ordinary peak is let through.
    quota = {"PYTAKE_ORGANIZATION_RATE_LIMIT": f"{round(arguments.rate * 2)}/1"}
    with Cluster(gateways=0, apis=1, relays=0, settings=quota) as cluster:
        return asyncio.run(measure(cluster, arguments))


if __name__ == "__main__":
    sys.exit(main())
