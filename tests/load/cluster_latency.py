"""How long a message takes through the cluster, from its 201 to the agents who watch.

    make cluster-latency                      # 200 agents, 50 conversations, 50/s for 60 s
    python tests/load/cluster_latency.py --seconds 10

Every agent joins one conversation over WSS through the proxy. Messages are posted at a fixed rate
that does not wait for answers. Prints the figures and exits 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import ssl
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.cluster import Cluster
from cluster.waiting import eventually, scaled
from pytake.bench.link import Link
from pytake.bench.swarm import Address
from pytake.bench.world import address_of

P99_TARGET_SECONDS = 0.1
_CONNECTING_AT_ONCE = 20


@dataclass(frozen=True)
class Load:
    """What is done: each agent watches one conversation, messages go to them in turn."""

    agents: int = 200
    conversations: int = 50
    messages_per_second: float = 50
    seconds: float = 60

    @property
    def messages(self) -> int:
        return round(self.messages_per_second * self.seconds)


class Agent:
    """One connection over WSS, and what came over it.

    On the lean link of `pytake bench`: python-socketio's client spends a whole processor on the
    list changes of 200 agents, and would measure itself.
    """

    def __init__(self, conversation_id: str) -> None:
        self.conversation_id = conversation_id
        # (message id or None, seq, when) of each durable event
        self.arrivals: list[tuple[str | None, int, float]] = []
        self.other_events = 0
        self.ends: list[str] = []

    async def connect(self, address: Address, tls: ssl.SSLContext, token: str) -> None:
        """Connect and join the conversation."""
        self._token = token
        self._joined = asyncio.Event()
        self._link = Link(address, self._take, self._take_end)
        async with asyncio.timeout(scaled(20)):
            await self._link.open(tls)
            await self._joined.wait()

    def leave(self) -> None:
        """End the connection; what comes later is not counted."""
        self._link.abort()

    def _take(self, packet: bytes) -> None:
        if packet.startswith((b'42["message:', b'42["conversation:updated')):
            event, data = json.loads(packet[2:])
            message_id = data["id"] if event == "message:new" else None
            self.arrivals.append((message_id, data["seq"], time.perf_counter()))
        elif packet == b"2":
            self._link.send("3")
        elif packet.startswith(b"0"):
            self._link.send("40" + json.dumps({"token": self._token}))
        elif packet.startswith(b"40"):
            join = ["join_conversation", {"conversation_id": self.conversation_id}]
            self._link.send("421" + json.dumps(join))
        elif packet.startswith(b"431"):
            answer = json.loads(packet[3:])[0]
            assert answer["ok"], answer
            self._joined.set()
        elif packet.startswith((b'42["error', b"41", b"44")):
            self.ends.append(packet.decode())
        else:
            self.other_events += 1

    def _take_end(self, refusal: bytes) -> None:
        self.ends.append(refusal.decode(errors="replace") or "closed")


@dataclass(frozen=True)
class Figures:
    """What came out. Latencies are seconds, sorted, one for each delivery."""

    sent: int
    refused: int
    expected: int
    lost: int
    duplicated: int
    out_of_order: int
    ended_early: Counter[str]
    other_events: int
    from_answer: list[float]
    from_request: list[float]

    @property
    def is_complete(self) -> bool:
        """Whether every message was stored and seen once, in order, by everyone who watched."""
        return not (self.refused or self.lost or self.duplicated or self.out_of_order)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"messages stored     {self.sent} ({self.refused} refused)",
                f"deliveries          {self.expected - self.lost} of {self.expected}",
                f"lost                {self.lost}",
                f"duplicated          {self.duplicated}",
                f"out of order        {self.out_of_order}",
                f"connections ended   {dict(self.ended_early)}",
                f"changes of lists    {self.other_events}",
                f"from 201 received   {_quantiles(self.from_answer)}",
                f"from request sent   {_quantiles(self.from_request)}",
            ]
        )


async def measure(cluster: Cluster, load: Load) -> Figures:
    """Run the load through the proxy of a cluster that is up."""
    conversations = [
        (await asyncio.to_thread(cluster.create_conversation, f"Customer {number}"))["id"]
        for number in range(load.conversations)
    ]
    agents = [Agent(conversations[number % len(conversations)]) for number in range(load.agents)]
    watchers = Counter(agent.conversation_id for agent in agents)
    async with _connected(cluster, agents):
        posted = await _post_all(cluster, load, conversations)
        expected = sum(watchers[conversation] for conversation, _, _ in posted.values())

        def all_arrived() -> bool:
            return sum(len(agent.arrivals) for agent in agents) >= expected

        try:
            await eventually(all_arrived, "every delivery", within_seconds=10)
        except TimeoutError:
            print("some deliveries did not come; they are counted as lost", file=sys.stderr)
        # What comes now would be a duplicate: give it the time to.
        await asyncio.sleep(0.5)
        ended_early = Counter(end for agent in agents for end in agent.ends)
    return _figures(load, agents, posted, ended_early)


@asynccontextmanager
async def _connected(cluster: Cluster, agents: list[Agent]) -> AsyncIterator[None]:
    places = asyncio.Semaphore(_CONNECTING_AT_ONCE)
    address = address_of(cluster.url, compresses=True)

    async def connect(number: int, agent: Agent) -> None:
        async with places:
            await agent.connect(address, cluster.tls(), cluster.token(f"load-agent-{number}"))

    await asyncio.gather(*(connect(*each) for each in enumerate(agents)))
    try:
        yield
    finally:
        for agent in agents:
            agent.leave()


Posted = dict[str, tuple[str, float, float]]
"""Message id → conversation, when the request was sent, when the 201 came."""


async def _post_all(cluster: Cluster, load: Load, conversations: list[str]) -> Posted:
    posted: Posted = {}
    headers = {"Authorization": f"Bearer {cluster.token('load-bot', role='bot')}"}
    connector = aiohttp.TCPConnector(ssl=cluster.tls(), limit=50)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def post(number: int) -> None:
            conversation = conversations[number % len(conversations)]
            url = f"{cluster.url}/api/v1/conversations/{conversation}/messages"
            body = {"message_type": "text", "content": {"text": f"message {number}"}}
            asked = time.perf_counter()
            async with session.post(url, json=body) as answer:
                answered = time.perf_counter()
                if answer.status == 201:
                    posted[(await answer.json())["id"]] = (conversation, asked, answered)

        async with asyncio.TaskGroup() as group:
            start = time.perf_counter()
            for number in range(load.messages):
                due = start + number / load.messages_per_second
                await asyncio.sleep(max(0, due - time.perf_counter()))
                group.create_task(post(number))
    return posted


def _figures(load: Load, agents: list[Agent], posted: Posted, ended_early: Counter[str]) -> Figures:
    lost = duplicated = out_of_order = expected = 0
    from_answer, from_request = [], []
    by_conversation: dict[str, set[str]] = {}
    for message_id, (conversation, _, _) in posted.items():
        by_conversation.setdefault(conversation, set()).add(message_id)
    for agent in agents:
        mine = by_conversation.get(agent.conversation_id, set())
        times_seen = Counter(message_id for message_id, _, _ in agent.arrivals if message_id)
        expected += len(mine)
        lost += len(mine - times_seen.keys())
        duplicated += sum(count - 1 for count in times_seen.values())
        numbers = [seq for _, seq, _ in agent.arrivals]
        out_of_order += sum(following != before + 1 for before, following in pairwise(numbers))
        for seen, _, arrived in agent.arrivals:
            if seen in mine:
                _, asked, answered = posted[seen]
                from_answer.append(arrived - answered)
                from_request.append(arrived - asked)
    return Figures(
        sent=len(posted),
        refused=load.messages - len(posted),
        expected=expected,
        lost=lost,
        duplicated=duplicated,
        out_of_order=out_of_order,
        ended_early=ended_early,
        other_events=sum(agent.other_events for agent in agents),
        from_answer=sorted(from_answer),
        from_request=sorted(from_request),
    )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else math.inf


def _quantiles(ordered: list[float]) -> str:
    # Below zero: the agent had the message before the author had the answer.
    names = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return "  ".join(f"{k} {_quantile(ordered, v) * 1000:.1f} ms" for k, v in names.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, default=Load.agents)
    parser.add_argument("--conversations", type=int, default=Load.conversations)
    parser.add_argument("--rate", type=float, default=Load.messages_per_second)
    parser.add_argument("--seconds", type=float, default=Load.seconds)
    asked = parser.parse_args()
    load = Load(asked.agents, asked.conversations, asked.rate, asked.seconds)
    with Cluster() as cluster:
        figures = asyncio.run(measure(cluster, load))
    print(load)
    print(figures)
    kept = figures.is_complete and _quantile(figures.from_answer, 0.99) < P99_TARGET_SECONDS
    print(
        f"promise (p99 below {P99_TARGET_SECONDS * 1000:.0f} ms, nothing lost, twice or out of "
        f"order): {'kept' if kept else 'BROKEN'}"
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
