"""The official JavaScript client (socket.io-client from npm) under the hand of a Python test.

One Node process drives any number of clients: see tests/e2e/js/driver.mjs.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any, Self

from cluster.events import EventLog
from cluster.programs import find_program
from cluster.waiting import scaled

_REPOSITORY = Path(__file__).resolve().parents[2]
_DRIVER = _REPOSITORY / "tests" / "e2e" / "js" / "driver.mjs"
# An event may be as large as the gateway lets it be.
_LINE_LIMIT_BYTES = 4 * 1024 * 1024


class JsError(Exception):
    """A command failed inside the driver, for instance an acknowledgement that did not come."""


class JsClients:
    """A Node process that holds clients; `async with` starts and ends it."""

    def __init__(self, url: str, authority: Path | None = None) -> None:
        self.url = url
        self._authority = authority
        self._clients: dict[str, JsClient] = {}
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Self:
        environment = dict(os.environ)
        if self._authority:
            environment["NODE_EXTRA_CA_CERTS"] = str(self._authority)
        node = find_program("node", str(_REPOSITORY / ".tools" / "bin" / "node"))
        self._process: Process = await asyncio.create_subprocess_exec(
            node, _DRIVER, stdin=PIPE, stdout=PIPE, env=environment, limit=_LINE_LIMIT_BYTES
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        # The end of its input is the driver's signal to leave.
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(scaled(5)):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader

    async def connect(
        self, token: str, *, auth: dict[str, Any] | None = None, **options: Any
    ) -> JsClient:
        """Start a client. Options are those of socket.io-client, e.g. `transports=["polling"]`.

        It returns before the connection stands: wait for `$connect` or `$connect_error`.
        """
        client = JsClient(f"js-{next(self._numbers)}", self)
        self._clients[client.name] = client
        options["auth"] = {"token": token} | (auth or {})
        await self.command("connect", client=client.name, url=self.url, options=options)
        return client

    async def command(self, operation: str, **arguments: Any) -> Any:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "op": operation, **arguments}) + "\n"
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        await self._process.stdin.drain()
        async with asyncio.timeout(scaled(30)):
            return await answer

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "event" in told:
                arguments = told["args"]
                data = arguments if told["event"][0] == "$" else next(iter(arguments), None)
                self._clients[told["client"]].events.add(told["event"], data)
            elif told["ok"]:
                self._answers.pop(told["id"]).set_result(told["value"])
            else:
                self._answers.pop(told["id"]).set_exception(JsError(told["error"]))


class JsClient:
    """One client of the driver."""

    def __init__(self, name: str, clients: JsClients) -> None:
        self.name = name
        self.events = EventLog()
        self._clients = clients

    async def call(self, event: str, data: Any = None, *, within_seconds: float = 5) -> Any:
        """Emit with acknowledgement and return what the server acknowledged."""
        return await self._clients.command(
            "emit",
            client=self.name,
            event=event,
            args=[] if data is None else [data],
            timeout=int(scaled(within_seconds) * 1000),
        )

    async def next(self, event: str, **conditions: Any) -> Any:
        """The next event of this name; see `EventLog.next`."""
        return await self.events.next(event, **conditions)

    async def state(self) -> dict[str, Any]:
        """`connected`, `active` (it will try again), `sid`, `transport`."""
        state: dict[str, Any] = await self._clients.command("state", client=self.name)
        return state

    async def disconnect(self) -> None:
        await self._clients.command("disconnect", client=self.name)

    async def break_connection(self) -> None:
        """Lose the connection without a farewell; the client will come back by itself."""
        await self._clients.command("break", client=self.name)
