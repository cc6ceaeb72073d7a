"""python-socketio's own client, trusting the proxy and remembering its cookie."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any, Self

import aiohttp
import socketio

from cluster.events import EventLog
from cluster.waiting import scaled


class PythonClient:
    """One client; `async with` connects and ends it. It does not reconnect unless told to."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        tls: ssl.SSLContext | None = None,
        transports: Sequence[str] = ("websocket",),
        auth: dict[str, Any] | None = None,
        reconnection: bool = False,
        events: EventLog | None = None,
    ) -> None:
        self.url = url
        self.events = events or EventLog()
        self._tls = tls
        self._transports = list(transports)
        self._auth = {"token": token} | (auth or {})
        self._reconnection = reconnection

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls or True)
        self._session = aiohttp.ClientSession(connector=connector)
        self._client = socketio.AsyncClient(
            http_session=self._session, reconnection=self._reconnection
        )
        self._client.on("*", self._collect)
        self._client.on("connect", lambda: self.events.add("$connect", [self.transport]))
        self._client.on("disconnect", lambda reason: self.events.add("$disconnect", [reason]))
        self._client.on("connect_error", lambda data: self.events.add("$connect_error", [data]))
        try:
            await self._client.connect(
                self.url, auth=self._auth, transports=self._transports, wait_timeout=scaled(10)
            )
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.shutdown()
        await self._session.close()

    async def _collect(self, event: str, *data: Any) -> None:
        self.events.add(event, data[0] if data else None)

    @property
    def transport(self) -> str:
        """`websocket` or `polling`, as of now."""
        return str(self._client.transport())

    @property
    def connected(self) -> bool:
        return bool(self._client.connected)

    @property
    def sid(self) -> str | None:
        """The id under which the server knows this connection."""
        sid: str | None = self._client.get_sid()
        return sid

    async def call(self, event: str, data: Any = None, *, within_seconds: float = 5) -> Any:
        """Emit with acknowledgement and return what the server acknowledged."""
        return await self._client.call(event, data, timeout=scaled(within_seconds))

    async def next(self, event: str, **conditions: Any) -> Any:
        """The next event of this name; see `EventLog.next`."""
        return await self.events.next(event, **conditions)
