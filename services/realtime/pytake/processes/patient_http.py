"""uvicorn's HTTP protocol, but nobody may take for ever to say what is wanted or to hear it.

uvicorn waits without end for the headers of a request, for its body, and for a client to
take the answer, and keeps whatever comes meanwhile: a few thousand connections that send or
take a byte now and then would hold all descriptors of a process, one that sends a header
without end its memory. Here all three must get on. How large a body may be is decided where
it is read.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_WITHIN_SECONDS = 10.0
MAX_HEADER_BYTES = 65_536

BODY_GRACE_SECONDS = 10.0
MIN_BODY_BYTES_PER_SECOND = 4096
"""A body may take the grace and then as long as this pace allows for what has come."""

REST_WITHIN_SECONDS = 5.0
"""What nobody will read of a body may come for so long after the answer."""

LOOK_AT_ANSWER_SECONDS = 30.0
MIN_ANSWER_BYTES_PER_SECOND = 2048
"""Of an answer that fills the write buffer, so much must be taken between two looks."""


class PatientHttpProtocol(HttpToolsProtocol):
    """Closes a connection that does not get on with its headers, its body or its answer."""

    headers_within_seconds = HEADERS_WITHIN_SECONDS
    body_grace_seconds = BODY_GRACE_SECONDS
    rest_within_seconds = REST_WITHIN_SECONDS
    look_at_answer_seconds = LOOK_AT_ANSWER_SECONDS
    _headers_due: asyncio.TimerHandle | None = None
    _body_due: asyncio.TimerHandle | None = None
    _answer_due: asyncio.TimerHandle | None = None
    _answer_left = 0.0
    _header_bytes = 0
    _body_bytes = 0
    _body_began = 0.0
    _has_whole_request = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._headers_due is None:
            self._header_bytes = 0
            return
        self._header_bytes += len(data)
        if self._header_bytes > MAX_HEADER_BYTES:
            self._give_up()

    # --- headers ----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_headers()

    def on_headers_complete(self) -> None:
        _cancel(self._headers_due)
        self._headers_due = None
        self._has_whole_request = False
        self._body_bytes, self._body_began = 0, self.loop.time()
        if self._body_due is None:
            self._body_due = self.loop.call_later(self.body_grace_seconds, self._look_at_body)
        super().on_headers_complete()

    def _wait_for_headers(self) -> None:
        if self._headers_due is None:
            self._headers_due = self.loop.call_later(self.headers_within_seconds, self._give_up)

    # --- body -------------------------------------------------------------------------------

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._has_whole_request = True
        _cancel(self._body_due)
        self._body_due = None
        super().on_message_complete()

    def _look_at_body(self) -> None:
        """Give up on a body that is behind the pace, unless it is us who do not read it."""
        allowed = self.body_grace_seconds + self._body_bytes / MIN_BODY_BYTES_PER_SECOND
        left = self._body_began + allowed - self.loop.time()
        if self.flow.read_paused:
            left = max(left, self.body_grace_seconds)
        if left <= 0:
            self._give_up()
        else:
            self._body_due = self.loop.call_later(left, self._look_at_body)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self._has_whole_request:
            # Answered before the body had come; what comes now is thrown away, for a moment,
            # since a client that still sends would not read an answer before a reset.
            _cancel(self._body_due)
            self._body_due = self.loop.call_later(self.rest_within_seconds, self._give_up)

    # --- answer -----------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._answer_due is None:
            self._look_at_answer_later()

    def _look_at_answer_later(self) -> None:
        """Remember how much has to be taken by then."""
        seconds = self.look_at_answer_seconds
        expected = seconds * MIN_ANSWER_BYTES_PER_SECOND
        self._answer_left = max(0.0, self.transport.get_write_buffer_size() - expected)
        self._answer_due = self.loop.call_later(seconds, self._look_at_answer)

    def _look_at_answer(self) -> None:
        # A whole file may wait here: what counts is that it gets less.
        if self.transport.get_write_buffer_size() > self._answer_left:
            self._give_up()
        else:
            self._look_at_answer_later()

    def resume_writing(self) -> None:
        _cancel(self._answer_due)
        self._answer_due = None
        super().resume_writing()

    # --- the end ----------------------------------------------------------------------------

    def handle_websocket_upgrade(self) -> None:
        self._stop_waiting()
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        _cancel(self._headers_due)
        self._headers_due = None
        _cancel(self._body_due)
        self._body_due = None
        _cancel(self._answer_due)
        self._answer_due = None

    def _give_up(self) -> None:
        self._stop_waiting()
        if self.transport is not None:
            # Also of one that is closing: it may never take what is still to be written.
            self.transport.abort()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
