"""A TCP proxy between clients and NGINX that delays, cuts and half-closes connections."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from cluster.programs import free_port

CHUNK = 65_536


class _Pipe:
    """One client connection and its twin towards NGINX."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.client = client
        self.server = server
        self.flows = asyncio.Event()
        self.flows.set()
        self.delay_seconds = 0.0

    async def run(self) -> None:
        copies = [
            asyncio.create_task(self._copy(self.client[0], self.server[1])),
            asyncio.create_task(self._copy(self.server[0], self.client[1])),
        ]
        try:
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for copy in copies:
                copy.cancel()
            await asyncio.gather(*copies, return_exceptions=True)
            self.cut()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                await self.flows.wait()
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                sink.write(data)
                await sink.drain()

    def cut(self) -> None:
        """Reset both sides, as a lost link would after its time-out."""
        for _, writer in (self.client, self.server):
            writer.transport.abort()

    def half_close(self) -> None:
        """Tell the server that nothing more will come, and go on listening."""
        with suppress(OSError):
            self.server[1].write_eof()


class FaultyProxy:
    """Passes TLS through untouched; `shake()` does something nasty to a part of the connections."""

    def __init__(self, target_port: int, dice: random.Random) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._dice = dice
        self._pipes: set[_Pipe] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    async def __aenter__(self) -> FaultyProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for pipe in list(self._pipes):
            pipe.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        pipe = _Pipe((reader, writer), server)
        self._pipes.add(pipe)
        try:
            await pipe.run()
        finally:
            self._pipes.discard(pipe)

    def shake(self) -> None:
        """Cut, stall, delay or half-close about a third of the connections, each by dice."""
        for pipe in list(self._pipes):
            match self._dice.randrange(12):
                case 0:
                    pipe.cut()
                case 1:
                    pipe.flows.clear()
                case 2:
                    pipe.delay_seconds = self._dice.random() * 0.3
                case 3:
                    pipe.half_close()

    def calm_down(self) -> None:
        """Let everything flow again; what was stalled goes on where it stood."""
        for pipe in list(self._pipes):
            pipe.flows.set()
            pipe.delay_seconds = 0.0
