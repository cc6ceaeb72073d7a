"""uvicorn's HTTP protocol, but nobody may take for ever to say what is wanted.

uvicorn waits without end for the headers of a request, and keeps whatever comes meanwhile:
a few thousand connections that send a byte now and then would hold all descriptors of a
process, one that sends a header without end its memory. Bodies have bounds of their own
where they are read.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_WITHIN_SECONDS = 10.0
MAX_HEADER_BYTES = 65_536


class PatientHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose headers are not complete in time."""

    headers_within_seconds = HEADERS_WITHIN_SECONDS
    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._deadline is None:
            self._header_bytes = 0
            return
        self._header_bytes += len(data)
        if self._header_bytes > MAX_HEADER_BYTES:
            self._stop_waiting()
            self._give_up()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_headers()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_headers(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.headers_within_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.abort()
