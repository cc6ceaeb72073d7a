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

    Spoken by hand, because every message in an unassigned conversation also changes the inbox of
    all agents: 10,000 events a second, most of which are only counted here. python-socketio's
    client spends a whole processor on that, and would measure itself.
    """

    def __init__(self, conversation_id: str) -> None:
        self.conversation_id = conversation_id
        # (message id or None, seq, when) of each durable event
        self.arrivals: list[tuple[str | None, int, float]] = []
        self.other_events = 0
        self.ends: list[str] = []

    async def connect(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Connect and join the conversation."""
        address = f"{url}/socket.io/?EIO=4&transport=websocket"
        self._socket = await session.ws_connect(address, compress=15)
        await self._until("0")
        await self._socket.send_str("40" + json.dumps({"token": token}))
        await self._until("40")
        join = ["join_conversation", {"conversation_id": self.conversation_id}]
        await self._socket.send_str("421" + json.dumps(join))
        answer = json.loads((await self._until("431"))[3:])[0]
        assert answer["ok"], answer

    async def _until(self, beginning: str) -> str:
        async with asyncio.timeout(scaled(20)):
            while not (text := await self._socket.receive_str()).startswith(beginning):
                self._take(text)
        return text

    async def listen(self) -> None:
        """Take what comes until the connection ends."""
        async for message in self._socket:
            if message.data == "2":
                await self._socket.send_str("3")
            else:
                self._take(message.data)
        self.ends.append(str(self._socket.close_code))

    def _take(self, text: str) -> None:
        if text.startswith(('42["message:', '42["conversation:updated')):
            event, data = json.loads(text[2:])
            message_id = data["id"] if event == "message:new" else None
            self.arrivals.append((message_id, data["seq"], time.perf_counter()))
        elif text.startswith('42["error'):
            self.ends.append(text)
        else:
            self.other_events += 1


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
    connector = aiohttp.TCPConnector(ssl=cluster.tls(), limit=0)
    # A shared jar would hold the affinity cookie of the first, and send all to one pod.
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:

        async def connect(number: int, agent: Agent) -> None:
            async with places:
                await agent.connect(session, cluster.url, cluster.token(f"load-agent-{number}"))

        await asyncio.gather(*(connect(*each) for each in enumerate(agents)))
        async with asyncio.TaskGroup() as group:
            listening = [group.create_task(agent.listen()) for agent in agents]
            yield
            for task in listening:
                task.cancel()


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
