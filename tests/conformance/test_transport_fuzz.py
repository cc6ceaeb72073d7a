"""Random and mutated frames and polling bodies against a live server.

The short form runs with `make test`, a million with `make full`.
Whatever a client sends, nothing is raised, and afterwards nothing is left of it: no
session, task, room or buffered byte.
"""

import asyncio
import contextlib
import gc
import logging
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from pytake.transport import AsyncServer
from pytake.transport.fault_log import FAULTS, QUIET_SECONDS
from running_transport import Pod, RawWebsocket, masked, running, until

FRAMES_PER_CONNECTION = 50
# An eighth goes through polling, which is slower by far.
POLLING_SHARE = 8
MEMORY_SLACK_BYTES = 30_000_000

SEEDS = [
    b"40",
    b'40{"token":"x"}',
    b"40/other,",
    b"41",
    b'42["echo",{"a":[1,2,{"b":null}]}]',
    b'42["join","room"]',
    b'4212["echo",1]',
    b'42/other,["echo"]',
    b'431["ok"]',
    b'451-["echo",{"_placeholder":true,"num":0}]',
    b'461-1["echo",{"_placeholder":true,"num":0}]',
    b'44{"message":"no"}',
    b"2probe",
    b"3",
    b"5",
    b"6",
    '42["echo","olá \U0001f600"]'.encode(),
]


class Fuzzer:
    """Makes input from a seed, so that a failure can be repeated."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def packet(self) -> bytes:
        dice = self._dice
        choice = dice.random()
        if choice < 0.1:
            return dice.randbytes(dice.choice((0, 1, 2, 10, 130, 5000)))
        data = bytearray(dice.choice(SEEDS))
        if choice < 0.5:
            return bytes(data)
        for _ in range(dice.randint(1, 4)):
            self._mutate(data)
        return bytes(data)

    def _mutate(self, data: bytearray) -> None:
        dice = self._dice
        position = dice.randrange(len(data) + 1)
        match dice.randrange(5):
            case 0:
                data[position:position] = dice.randbytes(dice.randint(1, 4))
            case 1:
                del data[position : position + dice.randint(1, 5)]
            case 2:
                data[position:position] = bytes(data[: dice.randint(0, len(data))])
            case 3:
                data[position : position + 1] = dice.choice((b"[", b"{", b"]", b'"', b",", b"\xff"))
            case _:
                data[position:position] = dice.choice(
                    (b"9" * 30, b"[" * 200, b"\x1e", b"-", b"null")
                )

    def frame(self) -> bytes:
        dice = self._dice
        choice = dice.random()
        if choice < 0.8:
            return masked(self.packet(), dice.choice((1, 1, 1, 1, 2)))
        if choice < 0.9:
            # Control frames, reserved bits, fragments that never end.
            return masked(dice.randbytes(dice.choice((0, 2, 125))), first=dice.randrange(256))
        data = bytearray(masked(self.packet()))
        self._mutate(data)
        return bytes(data)

    def body(self) -> bytes:
        return b"\x1e".join(self.packet() for _ in range(self._dice.randint(1, 4)))


def make_server() -> AsyncServer:
    sio = AsyncServer(
        cors_allowed_origins="*",
        namespaces=["/", "/other"],
        max_http_buffer_size=10_000,
        max_event_bytes=2_000,
        connect_timeout=5,
    )

    @sio.on("echo")
    async def echo(sid: str, *arguments: Any) -> tuple[Any, ...]:
        return arguments

    @sio.on("join")
    async def join(sid: str, *arguments: Any) -> None:
        await sio.enter_room(sid, "room")

    return sio


async def attack_by_websocket(pod: Pod, fuzzer: Fuzzer) -> int:
    client = await RawWebsocket.open(pod)
    sent = 0
    with contextlib.suppress(ConnectionError):
        client.writer.write(masked(b"40"))
        while sent < FRAMES_PER_CONNECTION and not client.reader.at_eof():
            client.writer.write(fuzzer.frame())
            sent += 1
            if sent % 10 == 0:
                await client.writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(client.reader.read(65536), 0.001)
    await client.close()
    return sent


async def attack_by_polling(pod: Pod, fuzzer: Fuzzer, http: httpx.AsyncClient) -> int:
    address = f"{pod.url}{pod.path}?EIO=4&transport=polling"
    opened = await http.get(address)
    session = address + "&sid=" + opened.text.split('"sid":"')[1].split('"')[0]
    sent = 0
    while sent < 5:
        response = await http.post(session, content=fuzzer.body())
        sent += 1
        if response.status_code != 200:
            assert response.status_code in (400, 413)
            break
    with contextlib.suppress(httpx.TransportError):
        await http.post(session, content="1")
    return sent


@pytest.mark.parametrize(
    "frames",
    [
        20_000,
        pytest.param(1_000_000, marks=(pytest.mark.full, pytest.mark.timeout(3600))),
    ],
)
async def test_whatever_clients_send_nothing_breaks_and_nothing_is_left(
    caplog: pytest.LogCaptureFixture, frames: int
) -> None:
    uncaught: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: uncaught.append(context))
    caplog.set_level(logging.WARNING)
    sio = make_server()
    async with running(sio) as pod:
        await attack(pod, frames // 10)
        await quiet(sio)
        before = resident_bytes()
        tasks = len(asyncio.all_tasks())

        await attack(pod, frames)

        await quiet(sio)
        assert uncaught == []
        check_log(caplog)
        assert sio.stats.handler_errors == 0
        assert sio.manager.rooms == {}
        assert sio.manager.callbacks == {}
        assert sio.stats.buffered_bytes == 0
        assert len(asyncio.all_tasks()) <= tasks
        assert resident_bytes() - before < MEMORY_SLACK_BYTES
        assert sio.stats.closed["parse error"] > 0
        async with pod.websocket() as websocket:
            assert str(await websocket.recv()).startswith("0{")


def check_log(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing but a line a reason, at most every ten seconds."""
    ours = [record for record in caplog.records if not record.name.startswith("asyncio")]
    assert {record.name for record in ours} <= {"pytake.transport"}
    lines = Counter(record.getMessage().rsplit(": ", 1)[1] for record in ours)
    assert set(lines) <= FAULTS
    seconds = caplog.records[-1].created - caplog.records[0].created
    assert max(lines.values()) <= seconds / QUIET_SECONDS + 2


async def attack(pod: Pod, frames: int) -> None:
    sent, seed = 0, 0
    async with httpx.AsyncClient(timeout=5) as http:
        while sent < frames:
            fuzzer = Fuzzer(seed)
            if seed % POLLING_SHARE == 0:
                sent += await attack_by_polling(pod, fuzzer, http)
            else:
                sent += await attack_by_websocket(pod, fuzzer)
            seed += 1


async def quiet(sio: AsyncServer) -> None:
    await until(lambda: not sio.eio.sockets, "no session is left", 20)
    await until(lambda: sio.stats.connections == 0, "and none is counted")
    gc.collect()


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
