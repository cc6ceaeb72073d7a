"""A working day of agents, and the same for as long as one wants with clients that come and go.

Customers write, and agents read, type and answer; they look into other conversations and go back;
now and then a connection breaks, and comes back with its place. Everything happens by chance, at
rates that follow from the messages a second: a third of them are agents' answers.
"""

import heapq
import json
import time
from collections.abc import Callable
from typing import Any

from pytake.bench.dialect import stamped
from pytake.bench.load import Load
from pytake.bench.swarm import State, Timing

ANSWERS = 1 / 3
TYPING_SECONDS = 2.0
VISITS_PER_AGENT_AND_MINUTE = 1.0
VISIT_SECONDS = 10.0
BACK_WITHIN_SECONDS = 2.0


class Mixed:
    """Agents at work, for the seconds of the plan."""

    timing = Timing.DELIVERED

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = 0
        self._done: dict[str, int] = {}

    def prepare(self, load: Load) -> None:
        load.open_all()
        self._work(load, load.shape.warm_up_seconds)

    def measure(self, load: Load) -> dict[str, Any]:
        self._done = {}
        self._work(load, load.shape.seconds)
        load.pass_time(1)
        return dict(self._done)

    def settle(self, load: Load) -> None:
        load.pass_time(load.shape.settle_seconds)

    def _work(self, load: Load, seconds: float) -> None:
        self._due.clear()
        began = time.monotonic()
        seats = len(load.plan.seats)
        rate = load.shape.per_second
        happenings: list[tuple[float, Callable[[Load], None]]] = [
            (rate * (1 - ANSWERS), self._customer_writes),
            (rate * ANSWERS, self._agent_answers),
            (seats * VISITS_PER_AGENT_AND_MINUTE / 60, self._agent_visits),
            (seats * load.shape.churn_per_minute / 60, self._connection_breaks),
        ]
        for each in happenings:
            self._repeat_by_chance(load, *each)
        while not load.is_over(began + seconds):
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()
            wait = self._due[0][0] - now if self._due else 0.05
            load.step(max(1, min(50, int(wait * 1000))))
        self._due.clear()

    def _repeat_by_chance(self, load: Load, rate: float, act: Callable[[Load], None]) -> None:
        """Do it at random moments, so many times a second on average."""
        if rate <= 0:
            return

        def again() -> None:
            act(load)
            self._later(load.dice.expovariate(rate), again)

        self._later(load.dice.expovariate(rate), again)

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        self._order += 1
        heapq.heappush(self._due, (time.monotonic() + seconds, self._order, act))

    def _count(self, what: str) -> None:
        self._done[what] = self._done.get(what, 0) + 1

    def _customer_writes(self, load: Load) -> None:
        room = load.dice.choice(load.rooms)
        content = stamped(load.plan.shard, load.shape.content_bytes)
        if load.plan.dialect.publish(load.swarm, room, content):
            self._count("published")
        else:
            self._count("unsent")

    def _agent_answers(self, load: Load) -> None:
        """Read, type, and send a moment later."""
        number = load.dice.randrange(len(load.plan.seats))
        seat = load.plan.seats[number]
        room = load.plan.dialect.rooms[seat.room]
        about = {"conversation_id": room.conversation_id}
        load.swarm.say(number, _event("mark_read", about | {"seq": max(1, room.head)}))
        load.swarm.say(number, _event("typing_start", about))
        self._count("typed")

        def send() -> None:
            content = stamped(load.plan.shard, load.shape.content_bytes)
            if load.plan.dialect.publish(load.swarm, seat.room, content, seat.token):
                self._count("published")
            else:
                self._count("unsent")

        self._later(TYPING_SECONDS, send)

    def _agent_visits(self, load: Load) -> None:
        """Look into another conversation of the organization, and leave it again."""
        number = load.dice.randrange(len(load.plan.seats))
        dialect, own = load.plan.dialect, load.plan.seats[number].room
        organization = dialect.rooms[own].organization_id
        room = load.dice.choice(load.rooms)
        other = dialect.rooms[room]
        if room == own or other.organization_id != organization:
            return
        about = {"conversation_id": other.conversation_id}
        load.swarm.say(number, _event("join_conversation", about))
        self._count("visited")
        self._later(
            VISIT_SECONDS, lambda: load.swarm.say(number, _event("leave_conversation", about))
        )

    def _connection_breaks(self, load: Load) -> None:
        number = load.dice.randrange(len(load.plan.seats))
        load.swarm.close(number)
        self._count("broken")
        self._later(load.dice.random() * BACK_WITHIN_SECONDS, lambda: self._come_back(load, number))

    def _come_back(self, load: Load, number: int) -> None:
        if load.swarm.states()[number] != State.READY:
            load.swarm.open(number)


class Soak(Mixed):
    """The same, once, for long: everybody comes, and at the end everybody leaves."""

    def prepare(self, load: Load) -> None:
        """Nothing: the first figures are those of an empty server."""

    def measure(self, load: Load) -> dict[str, Any]:
        load.open_all()
        found = super().measure(load)
        load.open_all()  # those that broke in the last moment
        return found | {"connected_at_end": load.swarm.count("ready")}

    def settle(self, load: Load) -> None:
        load.close_all()
        load.pass_time(load.shape.settle_seconds)


def _event(name: str, data: dict[str, Any]) -> str:
    return "42" + json.dumps([name, data])
