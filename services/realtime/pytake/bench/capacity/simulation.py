"""Plays what happens to pods when many clients come at once: a discrete simulation with SimPy.

A pod is a queue in front of one core: handshakes are worked off one after the other, slowed by the
ordinary load beside them. Its door refuses what is above the handshake rate. A client that was
refused waits as it was told; one that waits too long gives up and tries again, and the pod
has worked for nothing. At large sizes one simulated client stands for several, and costs as much.
"""

import random
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import simpy

Event = Literal["storm", "pod loss", "deploy"]
Process = Generator[simpy.Event, Any, None]

MOST_CLIENTS = 40_000
_REFUSAL_US = 150.0
"""Answering 503 costs a little, too."""


@dataclass(frozen=True)
class Situation:
    """Pods, clients, and how both behave."""

    connections: int
    pods: int
    connect_us: float
    busy_share: float = 0.0
    """Of a core, by ordinary traffic."""
    handshake_rate: float = 1000.0
    """A second and pod; above it 503."""
    burst_seconds: float = 1.0
    spread_seconds: float = 5.0
    """Clients come back at random within it: the full jitter of the SDK."""
    client_patience_seconds: float = 20.0
    tries_of_proxy: int = 2
    """Pods that a proxy asks before it passes a 503 on."""
    cores: int = 0
    """Cores under all pods together; 0: one for each."""
    connecting_at_once: int = 0
    """Handshakes that all clients together keep under way; 0: no limit."""
    drain_seconds: float = 60.0
    start_seconds: float = 15.0
    surge_share: float = 0.25
    """Of the pods that a deploy replaces at a time."""
    seed: int = 1


@dataclass
class Outcome:
    """What came of it."""

    event: Event
    peak_handshakes_per_second: float
    seconds_to_half: float
    seconds_to_99_percent: float
    seconds_to_whole: float
    wait_p50_seconds: float
    wait_p99_seconds: float
    peak_pod_share: float
    """Of its core, the busiest pod in its busiest second, ordinary traffic included."""
    refusals: int
    given_up: int
    handshakes: int


@dataclass
class _Pod:
    core: simpy.Resource
    tokens: float
    filled_at: float = 0.0
    is_open: bool = True
    worked: Counter[int] = field(default_factory=Counter)
    clients: set[int] = field(default_factory=set)


class Simulation:
    """One run."""

    def __init__(self, situation: Situation) -> None:
        self.weight = max(1, -(-situation.connections // MOST_CLIENTS))
        self.situation = situation
        self.count = situation.connections // self.weight
        self._dice = random.Random(situation.seed)  # noqa: S311
        self._world = simpy.Environment()
        slow = 1 - min(0.95, situation.busy_share)
        self._work_seconds = situation.connect_us * 1e-6 * self.weight / slow
        shared = [simpy.Resource(self._world) for _ in range(situation.cores)]
        self._burst = max(1.0, situation.handshake_rate * situation.burst_seconds)
        self._pods: list[_Pod] = []
        self._shared = shared
        for _ in range(situation.pods):
            self._new_pod()
        self._waits: list[float] = []
        self._back_at: list[float] = []
        self._by_second: Counter[int] = Counter()
        self._refusals = self._given_up = 0
        lanes = situation.connecting_at_once // self.weight or 10**9
        self._lanes = simpy.Resource(self._world, lanes)

    # --- what happens --------------------------------------------------------------------

    def storm(self) -> Outcome:
        """Everybody comes back at once."""
        for _ in range(self.count):
            self._world.process(self._return(self._jitter(), self._world.now))
        self._world.run()
        return self._outcome("storm")

    def pod_loss(self) -> Outcome:
        """The clients of one pod come to the others."""
        self._pods.pop()
        for _ in range(self.count // self.situation.pods):
            self._world.process(self._return(self._jitter(), self._world.now))
        self._world.run()
        return self._outcome("pod loss")

    def deploy(self) -> Outcome:
        """All pods are replaced, some at a time; each moves its clients over its drain window."""
        for client in range(self.count):
            self._pods[client % len(self._pods)].clients.add(client)
        self._world.process(self._roll_out())
        self._world.run()
        return self._outcome("deploy")

    def _roll_out(self) -> Process:
        old = list(self._pods)
        at_a_time = max(1, int(len(old) * self.situation.surge_share))
        for first in range(0, len(old), at_a_time):
            batch = old[first : first + at_a_time]
            yield self._world.timeout(self.situation.start_seconds)
            for _ in batch:
                self._new_pod()
            for pod in batch:
                pod.is_open = False
                self._pods.remove(pod)
            window = self.situation.drain_seconds
            for pod in batch:
                for number, client in enumerate(sorted(pod.clients)):
                    wait = window * (number + self._dice.random()) / max(1, len(pod.clients))
                    self._world.process(self._return(wait, self._world.now + wait, client))
            yield self._world.timeout(window)

    # --- clients and pods ----------------------------------------------------------------

    def _jitter(self) -> float:
        return self._dice.random() * self.situation.spread_seconds

    def _new_pod(self) -> None:
        core = (
            self._shared[len(self._pods) % len(self._shared)]
            if self._shared
            else simpy.Resource(self._world)
        )
        self._pods.append(_Pod(core, self._burst))

    def _return(self, wait: float, began: float, client: int = -1) -> Process:
        """One client, from the loss of its connection until it has another."""
        yield self._world.timeout(wait)
        attempt = 0
        while True:
            with self._lanes.request() as lane:
                yield lane
                pod = self._admitted()
                if pod is not None:
                    asked = self._world.now
                    is_back = yield from self._handshake(pod)
                    if is_back:
                        self._waits.append(self._world.now - asked)
                        break
                    self._given_up += self.weight
            attempt += 1
            if pod is None:
                self._refusals += self.weight
                told = self._dice.randint(1, 3)
                yield self._world.timeout(told * (1 + self._dice.random()))
            else:
                yield self._world.timeout(self._dice.random() * min(5.0, 2.0**attempt))
        if client >= 0:
            pod.clients.add(client)
        self._back_at.append(self._world.now - (began if client >= 0 else 0))

    def _admitted(self) -> _Pod | None:
        """Return the pod that takes the handshake; None if those that were asked refuse."""
        tries = min(self.situation.tries_of_proxy, len(self._pods))
        for pod in self._dice.sample(self._pods, tries):
            now = self._world.now
            rate = self.situation.handshake_rate
            pod.tokens = min(self._burst, pod.tokens + (now - pod.filled_at) * rate)
            pod.filled_at = now
            if pod.tokens >= self.weight or (self.weight > self._burst and pod.tokens >= 1):
                pod.tokens -= self.weight
                return pod
            pod.worked[int(now)] += round(_REFUSAL_US * self.weight)
        return None

    def _handshake(self, pod: _Pod) -> Generator[simpy.Event, Any, bool]:
        """Wait for the core and use it; False if the client had gone before it was done."""
        began = self._world.now
        with pod.core.request() as turn:
            yield turn
            second = int(self._world.now)
            self._by_second[second] += self.weight
            pod.worked[second] += round(self.situation.connect_us * self.weight)
            yield self._world.timeout(self._work_seconds)
        return bool(self._world.now - began <= self.situation.client_patience_seconds)

    # --- what came of it -----------------------------------------------------------------

    def _outcome(self, event: Event) -> Outcome:
        back, waits = sorted(self._back_at), sorted(self._waits)
        busiest = max((max(p.worked.values(), default=0) for p in self._pods), default=0)
        return Outcome(
            event=event,
            peak_handshakes_per_second=max(self._by_second.values(), default=0),
            seconds_to_half=_at(back, 0.5),
            seconds_to_99_percent=_at(back, 0.99),
            seconds_to_whole=_at(back, 1.0),
            wait_p50_seconds=_at(waits, 0.5),
            wait_p99_seconds=_at(waits, 0.99),
            peak_pod_share=min(1.0, busiest * 1e-6 + self.situation.busy_share),
            refusals=self._refusals,
            given_up=self._given_up,
            handshakes=len(waits) * self.weight,
        )


def play(event: Event, situation: Situation) -> Outcome:
    """Simulate one event."""
    simulation = Simulation(situation)
    if event == "storm":
        return simulation.storm()
    return simulation.pod_loss() if event == "pod loss" else simulation.deploy()


def pods_needed(situation: Situation, whole_within_seconds: float) -> int:
    """Return the least pods with which a storm is over in time; ordinary load moves along."""
    busy = situation.busy_share * situation.pods
    pods = situation.pods
    while pods < situation.pods * 20:
        tried = replace(situation, pods=pods, busy_share=min(0.95, busy / pods))
        if play("storm", tried).seconds_to_whole <= whole_within_seconds:
            return pods
        pods = max(pods + 1, round(pods * 1.15))
    return pods


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
