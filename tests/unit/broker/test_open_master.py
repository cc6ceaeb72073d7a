"""A master that falls silent after the greeting is a lost link, not one that is waited for."""

import asyncio

import pytest

from pytake.broker import redis_link
from pytake.broker.redis import parse_address
from pytake.broker.redis_link import LinkLost, open_master


class SilentMaster:
    """Sentinel and master in one, which answers everything but ROLE."""

    async def __aenter__(self) -> "SilentMaster":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"redis+sentinel://127.0.0.1:{self._port}/0/mymaster"
        self.was_asked = asyncio.Event()
        self.was_left = asyncio.Event()
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            if b"SENTINEL" in data:
                port = str(self._port)
                writer.write(f"*2\r\n$9\r\n127.0.0.1\r\n${len(port)}\r\n{port}\r\n".encode())
            elif b"ROLE" in data:
                self.was_asked.set()
            else:
                writer.write(b"+PONG\r\n")
        writer.close()
        if self.was_asked.is_set():
            self.was_left.set()

    async def __aexit__(self, *error: object) -> None:
        self._server.close()


async def test_a_master_that_does_not_tell_its_role_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_link, "CONNECT_SECONDS", 0.3)
    async with SilentMaster() as master, asyncio.timeout(5):
        with pytest.raises(LinkLost, match="role"):
            await open_master(parse_address(master.url))

        await master.was_left.wait()


async def test_nothing_stays_open_when_the_wait_for_the_role_is_cancelled() -> None:
    async with SilentMaster() as master, asyncio.timeout(5):
        opening = asyncio.create_task(open_master(parse_address(master.url)))
        await master.was_asked.wait()

        opening.cancel()

        await master.was_left.wait()
