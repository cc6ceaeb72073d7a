"""Both generators do the same, against a real server on the project's transport."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
import pytest

from cluster.programs import Program, free_port, is_listening
from cluster.waiting import scaled
from pytake.bench.dialect import THEIRS, Peer, Room, http_request, stamped
from pytake.bench.native import CannotBuild, NativeSwarm, build, cache_folder
from pytake.bench.plain import PlainSwarm
from pytake.bench.swarm import Address, State, Swarm, Timing

pytestmark = pytest.mark.integration

PEER = Path(__file__).parents[2] / "load" / "peers" / "transport_peer.py"
SECRET = "bench-secret-bench-secret-bench-secret"
ROOM = Room("7f22a9c1-0000-4000-8000-000000000001")
DIALECT = Peer([ROOM], {0: 0})

MakeSwarm = Callable[..., Swarm]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Program]:
    port = free_port()
    env = {**os.environ, "SECRET": SECRET, "THRESHOLD": "1"}
    program = Program(str(port), [sys.executable, PEER, str(port)], tmp_path / "log", env=env)
    program.is_serving = lambda: is_listening(port)  # type: ignore[method-assign]
    program.start()
    try:
        program.wait_until_serving()
        yield program
    finally:
        program.stop()


@pytest.fixture(params=[NativeSwarm, PlainSwarm], ids=["c", "python"])
def make_swarm(request: pytest.FixtureRequest, server: Program) -> Iterator[MakeSwarm]:
    made: list[Swarm] = []

    def make(seats: int, compresses: bool = False) -> Swarm:
        address = Address("127.0.0.1", int(server.name), "127.0.0.1", compresses=compresses)
        swarm: Swarm = request.param(address, THEIRS, seats=seats, lanes=2)
        made.append(swarm)
        for number in range(seats):
            swarm.seat(number, "40" + f'{{"token":"{token()}"}}', Peer.joins_with(ROOM))
        return swarm

    yield make
    for swarm in made:
        swarm.end()


def token(secret: str = SECRET) -> str:
    return jwt.encode({"sub": "ana", "role": "agent", "exp": int(time.time()) + 60}, secret)


def wait_for(swarm: Swarm, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + scaled(10)
    while not reached():
        assert time.monotonic() < deadline, (swarm.counts(), swarm.last_error())
        swarm.step(5)


def all_ready(swarm: Swarm, seats: int) -> None:
    for number in range(seats):
        swarm.open(number)
    wait_for(swarm, lambda: swarm.count("ready") == seats)


@pytest.mark.parametrize("compresses", [False, True])
def test_a_message_arrives_at_every_client_and_is_timed(
    make_swarm: MakeSwarm, compresses: bool
) -> None:
    swarm = make_swarm(20, compresses)
    swarm.measure(True)
    all_ready(swarm, 20)

    assert DIALECT.publish(swarm, 0, stamped(0, 100))
    assert DIALECT.publish(swarm, 0, stamped(7, 100))  # another process's
    wait_for(swarm, lambda: swarm.count("deliveries") >= 40)

    assert swarm.counts().own_deliveries == 20
    assert swarm.counts().replayed == 0
    assert swarm.histogram(Timing.DELIVERED).total() == 40
    assert swarm.histogram(Timing.CONNECTED).total() == 20
    assert swarm.counts().received_bytes > 0
    assert swarm.counts().sent_bytes > 0


def test_a_question_is_answered_and_repeated_until_that_ends(make_swarm: MakeSwarm) -> None:
    swarm = make_swarm(3)
    all_ready(swarm, 3)
    swarm.measure(True)

    swarm.repeat(DIALECT.question)
    for number in range(3):
        assert swarm.say(number, DIALECT.question)
    wait_for(swarm, lambda: swarm.count("answers") >= 30)
    swarm.repeat("")
    wait_for(swarm, lambda: swarm.histogram(Timing.ANSWERED).total() == swarm.count("answers"))

    asked = swarm.count("answers")
    for _ in range(20):
        swarm.step(5)
    assert swarm.count("answers") <= asked + 3


def test_a_bad_token_is_refused_and_the_reason_kept(make_swarm: MakeSwarm) -> None:
    swarm = make_swarm(1)
    swarm.seat(0, "40" + f'{{"token":"{token("another-secret-" * 3)}"}}', "")

    swarm.open(0)
    wait_for(swarm, lambda: swarm.count("refused") == 1)

    assert swarm.states()[0] == State.REFUSED
    assert swarm.last_error().startswith("44")


def test_a_server_that_dies_is_noticed_and_one_that_is_not_there(
    make_swarm: MakeSwarm, server: Program
) -> None:
    swarm = make_swarm(5)
    all_ready(swarm, 5)

    server.kill()
    wait_for(swarm, lambda: swarm.count("lost") == 5)
    assert swarm.count("ready") == 0

    swarm.open(0)
    wait_for(swarm, lambda: swarm.states()[0] == State.BUSY)


def test_a_seat_that_left_may_come_back(make_swarm: MakeSwarm) -> None:
    swarm = make_swarm(2)
    all_ready(swarm, 2)

    swarm.close(1)
    assert list(swarm.states()) == [State.READY, State.EMPTY]
    assert swarm.count("lost") == 0
    assert not swarm.say(1, DIALECT.question)

    swarm.open(1)
    wait_for(swarm, lambda: swarm.count("ready") == 2)


def test_requests_wait_for_a_free_connection(make_swarm: MakeSwarm, server: Program) -> None:
    swarm = make_swarm(1)
    swarm.measure(True)
    address = Address("127.0.0.1", int(server.name), "127.0.0.1")
    # Engine.IO refuses a session that it does not know, with 400 and a body.
    request = http_request(address, "GET", "/socket.io/?EIO=4&transport=polling&sid=x", "")

    assert swarm.request(request)
    assert swarm.request(request)
    assert not swarm.request(request)
    wait_for(swarm, lambda: swarm.count("bad_answers") == 2)
    assert swarm.request(request)
    wait_for(swarm, lambda: swarm.count("bad_answers") == 3)

    assert swarm.histogram(Timing.REQUESTED).total() == 3


def test_the_library_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    build.cache_clear()
    try:
        library = build()
        assert library.parent == cache_folder() == tmp_path / "pytake"
        monkeypatch.setenv("PATH", "")
        build.cache_clear()
        assert build() == library  # no compiler is asked for

        library.unlink()
        build.cache_clear()
        with pytest.raises(CannotBuild, match="no C compiler"):
            build()
    finally:
        build.cache_clear()


def test_an_old_connection_of_a_seat_says_nothing_about_the_new_one(make_swarm: MakeSwarm) -> None:
    swarm = make_swarm(1)
    for _ in range(5):
        all_ready(swarm, 1)
        swarm.open(0)

    wait_for(swarm, lambda: swarm.count("ready") == 1)
    for _ in range(10):
        swarm.step(5)

    assert swarm.states()[0] == State.READY
    assert swarm.count("lost") == 0
