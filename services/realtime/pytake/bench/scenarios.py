"""The ways to load a server that last seconds: connect, fanout, inbound, latency, storm.

soak.py and mixed.py hold those that go on for long.
"""

import heapq
import time
from typing import Any

from pytake.bench.dialect import stamped
from pytake.bench.load import Load
from pytake.bench.swarm import State, Timing

_STALLED_SECONDS = 2.0
_LATE_DELIVERIES_SECONDS = 2.0


class Connect:
    """Everybody comes in, from nothing: the handshake, the token, the join."""

    timing = Timing.CONNECTED

    def prepare(self, load: Load) -> None:
        """A few come and go, so that code and connections to stores are warm."""
        seats = load.plan.seats
        for number in range(min(50, len(seats))):
            load.swarm.open(number)
        load.wait_until(lambda: load.swarm.count("ready") >= min(50, len(seats)), 5)
        load.close_all()
        load.pass_time(1)

    def measure(self, load: Load) -> dict[str, Any]:
        load.open_all()
        return {}

    def settle(self, load: Load) -> None:
        load.pass_time(load.shape.settle_seconds)
        load.ask("rested")
        load.close_all()
        load.pass_time(2)


class Disconnect:
    """Everybody is gone at once, as when a network dies."""

    timing = Timing.CONNECTED
    _QUIET_SECONDS = 3.0

    def prepare(self, load: Load) -> None:
        load.open_all()
        load.pass_time(1)

    def measure(self, load: Load) -> dict[str, Any]:
        left = load.swarm.count("ready")
        load.close_all()
        load.pass_time(self._QUIET_SECONDS)
        return {"left": left}

    def settle(self, load: Load) -> None:
        load.open_all()


class _Broadcasting:
    """What fanout and latency share: connected clients, rooms taken in turns."""

    timing = Timing.DELIVERED

    def __init__(self) -> None:
        self._turn = 0

    def prepare(self, load: Load) -> None:
        load.open_all()
        load.pass_time(0.5)
        self._run(load, load.shape.warm_up_seconds)
        load.pass_time(0.5)

    def measure(self, load: Load) -> dict[str, Any]:
        return self._run(load, load.shape.seconds)

    def settle(self, load: Load) -> None:
        load.pass_time(load.shape.settle_seconds)

    def _run(self, load: Load, seconds: float) -> dict[str, Any]:
        raise NotImplementedError

    def _publish(self, load: Load) -> int:
        """Publish to the next room; return how many of ours will get it, 0 if nothing was sent."""
        room = load.rooms[self._turn % len(load.rooms)]
        content = stamped(load.plan.shard, load.shape.content_bytes)
        if not load.plan.dialect.publish(load.swarm, room, content):
            return 0
        self._turn += 1
        return load.members[room]


class Fanout(_Broadcasting):
    """As many messages as the server can deliver: the next one leaves when one has arrived."""

    def _run(self, load: Load, seconds: float) -> dict[str, Any]:
        swarm, deadline = load.swarm, time.monotonic() + seconds
        room_size = len(load.plan.seats) / len(load.rooms)
        allowed = load.shape.window * room_size
        arrived = swarm.count("own_deliveries")
        failed = swarm.count("limited_answers") + swarm.count("bad_answers")
        expected, sent, stalls = float(arrived), 0, 0
        progressed = time.monotonic()
        while not load.is_over(deadline):
            now_arrived = swarm.count("own_deliveries")
            now_failed = swarm.count("limited_answers") + swarm.count("bad_answers")
            expected -= (now_failed - failed) * room_size
            failed = now_failed
            if now_arrived != arrived:
                arrived, progressed = now_arrived, time.monotonic()
            elif time.monotonic() - progressed > _STALLED_SECONDS:
                # Something was lost: forget it, or the window stays full for ever.
                expected, progressed, stalls = float(arrived), time.monotonic(), stalls + 1
            while expected - arrived <= allowed - room_size + 0.5:
                reached = self._publish(load)
                if not reached:
                    break
                expected += reached
                sent += 1
            # Until there is room for the next one.
            load.step(20, max(1, int(expected - allowed + room_size)))
        return {"published": sent, "stalls": stalls}


class Latency(_Broadcasting):
    """Messages at a fixed rate that waits for nobody; each arrival is timed from its request."""

    def _run(self, load: Load, seconds: float) -> dict[str, Any]:
        swarm, began = load.swarm, time.monotonic()
        deadline, arrived = began + seconds, swarm.count("own_deliveries")
        failed = swarm.count("limited_answers") + swarm.count("bad_answers")
        rate, sent, expected = load.shape.per_second, 0, 0
        room_size = len(load.plan.seats) / len(load.rooms)
        while not load.is_over(deadline):
            due = (time.monotonic() - began) * rate
            while sent < due:
                reached = self._publish(load)
                if not reached:
                    break
                expected += reached
                sent += 1
            until_next = began + (sent + 1) / rate - time.monotonic()
            load.step(max(0, min(5, int(until_next * 1000))))
        failed = swarm.count("limited_answers") + swarm.count("bad_answers") - failed
        expected -= round(failed * room_size)
        wanted = arrived + expected
        load.wait_until(lambda: swarm.count("own_deliveries") >= wanted, _LATE_DELIVERIES_SECONDS)
        behind = round((time.monotonic() - began) * rate) - sent if load.is_stopped else 0
        missing = wanted - swarm.count("own_deliveries")
        return {"published": sent, "expected": expected, "missing": missing, "unsent": behind}


class Inbound:
    """Events from the clients, each with an acknowledgement that is timed.

    At a fixed rate over all clients, because servers limit what one may send; or, with
    `asks_on_answer`, as fast as they are answered.
    """

    timing = Timing.ANSWERED

    def __init__(self) -> None:
        self._turn = 0

    def prepare(self, load: Load) -> None:
        load.open_all()
        load.pass_time(0.5)
        if load.shape.asks_on_answer:
            load.swarm.repeat(load.plan.dialect.question)
            for number in range(len(load.plan.seats)):
                load.swarm.say(number, load.plan.dialect.question)
        self.measure_for(load, load.shape.warm_up_seconds)

    def measure(self, load: Load) -> dict[str, Any]:
        return self.measure_for(load, load.shape.seconds)

    def measure_for(self, load: Load, seconds: float) -> dict[str, Any]:
        """Ask for so long."""
        if load.shape.asks_on_answer:
            load.pass_time(seconds)
            return {}
        question, seats = load.plan.dialect.question, len(load.plan.seats)
        began, sent, rate = time.monotonic(), 0, load.shape.per_second
        while not load.is_over(began + seconds):
            while sent < (time.monotonic() - began) * rate:
                load.swarm.say(self._turn % seats, question)
                self._turn += 1
                sent += 1
            load.step(1)
        return {"asked": sent}

    def settle(self, load: Load) -> None:
        load.pass_time(load.shape.settle_seconds)


class Storm:
    """All connections end at once, and all clients come back as fast as they are let in.

    A client that is refused for now waits as the server says, else for a random time that doubles
    with each refusal, up to five seconds: what Socket.IO's clients do.
    """

    timing = Timing.CONNECTED
    spreads = True
    """Whether `connects_per_second` holds for the return, too."""
    GIVES_UP_SECONDS = 120.0

    def prepare(self, load: Load) -> None:
        load.open_all()
        load.pass_time(1)

    def measure(self, load: Load) -> dict[str, Any]:
        swarm, seats = load.swarm, len(load.plan.seats)
        load.close_all()
        began = time.monotonic()
        rate = load.shape.connects_per_second if self.spreads else 0.0
        spread = seats / rate if rate else 0.0
        waiting = [(began + load.dice.random() * spread, n, 0) for n in range(seats)]
        heapq.heapify(waiting)
        attempts, refusals = 0, 0
        under_way: dict[int, int] = {}
        returned: list[float] = []
        while len(returned) < seats and not load.is_over(began + self.GIVES_UP_SECONDS):
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, number, tries = heapq.heappop(waiting)
                swarm.open(number)
                attempts += 1
                under_way[number] = tries
            load.step(2)
            states, now = swarm.states(), time.monotonic()
            for number in [n for n in under_way if states[n] >= State.READY]:
                tries = under_way.pop(number)
                if states[number] == State.READY:
                    returned.append(now - began)
                    continue
                refusals += 1
                asked = swarm.retry_after_seconds(number)
                wait = asked * (1 + load.dice.random()) or load.dice.random() * min(5, 2**tries)
                heapq.heappush(waiting, (now + wait, number, tries + 1))
        return {"attempts": attempts, "refusals": refusals, "returned": returned}

    def settle(self, load: Load) -> None:
        load.pass_time(load.shape.settle_seconds)
