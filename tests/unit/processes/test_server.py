"""The life of a process: listening, one signal to drain, two to end at once."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from pytake.processes.server import bind

PROCESS = textwrap.dedent("""
    import asyncio
    from pytake.processes.server import Listener, serve
    from pytake.processes.start import run

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    def announce(address, inner_address):
        print("listening", address, inner_address, flush=True)

    async def main():
        stopped = []

        async def drain():
            print("draining", flush=True)
            DRAIN

        async def background():
            try:
                await asyncio.Event().wait()
            finally:
                print("background ended", flush=True)

        await serve("test", Listener(app, "127.0.0.1", 0), Listener(app, "127.0.0.1", 0),
                    drain=drain, background=[background], on_listening=announce)

    run(main)
""")


@dataclass
class Running:
    process: subprocess.Popen[str]
    address: str
    inner_address: str

    def next_line(self) -> str:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if line.split()[0] in ("draining", "background"):
                return line.strip()
        return ""


Start = Callable[[str], Running]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(drain: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-c", PROCESS.replace("DRAIN", drain)],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        while line := process.stdout.readline():
            if line.startswith("listening "):
                _, address, inner_address = line.split()
                return Running(process, address, inner_address)
        raise AssertionError("the process ended before it listened")

    yield start
    for process in started:
        process.kill()
        process.wait(5)
        assert process.stdout is not None
        process.stdout.close()


def get(address: str) -> bytes:
    with urllib.request.urlopen(f"http://{address}/x", timeout=5) as answer:
        return bytes(answer.read())


def test_both_listeners_answer_on_the_ports_they_name(start: Start) -> None:
    running = start("pass")

    assert get(running.address) == b"/x"
    assert get(running.inner_address) == b"/x"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_drains_ends_the_background_work_and_exits_0(start: Start, number: int) -> None:
    running = start("pass")

    running.process.send_signal(number)

    assert running.next_line() == "draining"
    assert running.next_line() == "background ended"
    assert running.process.wait(10) == 0


def test_it_serves_while_it_drains(start: Start) -> None:
    running = start("await asyncio.sleep(30)")

    running.process.send_signal(signal.SIGTERM)

    assert running.next_line() == "draining"
    assert get(running.address) == b"/x"


def test_a_second_signal_ends_it_at_once_even_if_the_loop_hangs(start: Start) -> None:
    running = start("import time; time.sleep(30)")
    running.process.send_signal(signal.SIGTERM)
    assert running.next_line() == "draining"

    running.process.send_signal(signal.SIGTERM)

    assert running.process.wait(5) == -signal.SIGTERM


def test_a_taken_port_is_named_and_nothing_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = PROCESS.replace("DRAIN", "pass").replace('"127.0.0.1", 0', f'"127.0.0.1", {port}')
        ended = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=20,
            env=dict(os.environ),
        )

    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_no_answer_waits_for_a_delayed_acknowledgement() -> None:
    """Whatever loop accepts: asyncio's own leaves Nagle on unless the listener turned it off."""
    listener = bind("127.0.0.1", 0)
    server = await asyncio.start_server(lambda _, writer: found.set_result(writer), sock=listener)
    found: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    async with server:
        _, client = await asyncio.open_connection(*listener.getsockname())
        accepted = await found

    accepted_socket = accepted.get_extra_info("socket")
    assert accepted_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    for writer in (client, accepted):
        writer.close()
