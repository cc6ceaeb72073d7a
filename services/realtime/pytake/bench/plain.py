"""The generator in Python: for wss://, and where nothing can compile the one in C."""

import asyncio
import re
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import cast

import uvloop

from pytake.bench.histogram import Histogram, bucket_of
from pytake.bench.link import Link, tls_of
from pytake.bench.swarm import LAST_SEQ, Address, Counts, Speech, State, Timing

_STAMP = re.compile(rb"@T(\d+)\.(\d+)@")
_SEQ = re.compile(rb'"seq":(\d+)')
_RETRY_AFTER = re.compile(rb"(?i)retry-after: *([\d.]+)")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class _Seat:
    """One client: what it says, and its present connection."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.auth = self.join = ""
        self.link: Link | None = None
        self.opening: asyncio.Task[None] | None = None
        self.began = self.asked = self.ready_at = self.seen = 0


class _Lane(asyncio.Protocol):
    """One connection for requests, one at a time."""

    def __init__(self, swarm: "PlainSwarm") -> None:
        self.swarm = swarm
        self.transport: asyncio.Transport | None = None
        self.opening: asyncio.Task[None] | None = None
        self.is_busy = False
        self.asked = 0
        self.waiting = self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.waiting)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.buffer = b""
        if self.is_busy:
            self.swarm.note_failed_request()
        self.is_busy = False

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = _LENGTH.search(head)
        is_whole = len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")
        is_whole |= head[9:12] in (b"204", b"304")
        if is_whole:
            self.swarm.note_response(self, head)
            self.buffer = b""
            self.is_busy = False


class PlainSwarm:
    """`Swarm` on an event loop of its own, which runs only inside `step`."""

    is_native = False

    def __init__(
        self,
        address: Address,
        speech: Speech,
        *,
        seats: int,
        lanes: int = 16,
        shard: int = 0,
        api: Address | None = None,
    ) -> None:
        self._address = address
        self._api = api or address
        self._tls: ssl.SSLContext | None = tls_of(address)
        self._joined = speech.joined.encode()
        self._delivered = speech.delivered.encode()
        self._answered = speech.answered.encode()
        self._shard = str(shard).encode()
        self._loop = uvloop.new_event_loop()
        self._seats = [_Seat(number) for number in range(seats)]
        self._states = bytearray(seats)
        self._retry_after = [0.0] * seats
        self._lanes = [_Lane(self) for _ in range(lanes)]
        self._counts = Counts()
        self._histograms = [Histogram() for _ in Timing]
        self._measures = False
        self._repeated = ""
        self._awaited = 0
        self._has_awaited = asyncio.Event()
        self._last_error = b""

    # --- what scenarios do ---------------------------------------------------------------

    def seat(self, number: int, auth: str, join: str, seen: int = 0) -> None:
        seat = self._seats[number]
        seat.auth, seat.join, seat.seen = auth, join, seen

    def open(self, number: int) -> None:
        self.close(number)
        seat = self._seats[number]
        seat.began = time.monotonic_ns()
        self._retry_after[number] = 0.0
        self._states[number] = State.CONNECTING
        seat.opening = self._loop.create_task(self._connect(seat))

    def close(self, number: int) -> None:
        seat = self._seats[number]
        if seat.opening is not None:
            seat.opening.cancel()
        if seat.link is not None:
            self._end(seat, State.EMPTY)
        self._states[number] = State.EMPTY

    def stall(self, number: int) -> None:
        if link := self._seats[number].link:
            link.pause()

    def say(self, number: int, packet: str) -> bool:
        seat = self._seats[number]
        if self._states[number] != State.READY or seat.link is None:
            return False
        seat.asked = time.monotonic_ns()
        seat.link.send(packet)
        return True

    def repeat(self, packet: str) -> None:
        self._repeated = packet

    def request(self, request: bytes) -> bool:
        lane = next((lane for lane in self._lanes if not lane.is_busy), None)
        if lane is None:
            return False
        lane.is_busy = True
        lane.asked = time.monotonic_ns()
        self._counts.requests += 1
        self._counts.sent_bytes += len(request)
        if lane.transport is not None:
            lane.transport.write(request)
        else:
            lane.waiting = request
            lane.opening = self._loop.create_task(self._open_lane(lane))
        return True

    def step(self, milliseconds: int, own_deliveries: int = 0) -> None:
        self._awaited = own_deliveries
        self._has_awaited.clear()
        if own_deliveries and self._counts.own_deliveries >= own_deliveries:
            milliseconds = 0
        self._loop.run_until_complete(self._pass(milliseconds / 1000))

    async def _pass(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._has_awaited.wait()

    def measure(self, begins: bool) -> None:
        self._measures = begins
        if begins:
            self._histograms = [Histogram() for _ in Timing]

    def counts(self) -> Counts:
        links = [seat.link for seat in self._seats if seat.link is not None]
        counts = self._counts
        received = counts.received_bytes + sum(link.received_bytes for link in links)
        sent = counts.sent_bytes + sum(link.sent_bytes for link in links)
        return replace(counts, received_bytes=received, sent_bytes=sent)

    def count(self, name: str) -> int:
        return getattr(self._counts, name)  # type: ignore[no-any-return]

    def histogram(self, timing: Timing) -> Histogram:
        return Histogram(self._histograms[timing])

    def states(self) -> Sequence[int]:
        return bytes(self._states)

    def retry_after_seconds(self, number: int) -> float:
        return self._retry_after[number]

    def last_error(self) -> str:
        return self._last_error.decode(errors="replace")

    def end(self) -> None:
        for seat in self._seats:
            self.close(seat.number)
        for lane in self._lanes:
            lane.is_busy = False
            if lane.transport is not None:
                lane.transport.abort()
        self.step(10)
        self._loop.close()

    # --- what connections report ---------------------------------------------------------

    async def _connect(self, seat: _Seat) -> None:
        take, take_end = partial(self._take, seat), partial(self._take_end, seat)
        link = seat.link = Link(self._address, take, take_end)
        self._states[seat.number] = State.OPENING
        try:
            await link.open(self._tls)
        except OSError as error:
            self._last_error = str(error).encode()
            if seat.link is link:
                self._end(seat, State.BUSY)

    async def _open_lane(self, lane: _Lane) -> None:
        api, tls = self._api, tls_of(self._api)
        name = api.host if tls else None
        try:
            await self._loop.create_connection(
                lambda: lane, api.ip, api.port, ssl=tls, server_hostname=name
            )
        except OSError as error:
            self._last_error = str(error).encode()
            lane.connection_lost(error)

    def _end(self, seat: _Seat, state: State) -> None:
        link, seat.link = seat.link, None
        if link is not None:
            self._counts.received_bytes += link.received_bytes
            self._counts.sent_bytes += link.sent_bytes
            link.abort()
        counts = self._counts
        if self._states[seat.number] == State.READY:
            counts.ready -= 1
        counts.lost += state is State.LOST
        counts.refused += state is State.REFUSED
        counts.busy += state is State.BUSY
        self._states[seat.number] = state

    def _take_end(self, seat: _Seat, refusal: bytes) -> None:
        was_ready = self._states[seat.number] == State.READY
        if refusal:
            self._last_error = refusal
            wait = _RETRY_AFTER.search(refusal)
            self._retry_after[seat.number] = float(wait[1]) if wait else 0.0
        is_final = bool(refusal) and refusal[9:12] not in (b"502", b"503")
        ended = State.REFUSED if is_final else State.LOST if was_ready else State.BUSY
        self._end(seat, ended)

    def _take(self, seat: _Seat, packet: bytes) -> None:
        link = seat.link
        if link is None:
            return
        state = self._states[seat.number]
        if packet.startswith(self._delivered):
            self._take_delivery(seat, packet)
        elif state == State.READY and self._answered and packet.startswith(self._answered):
            self._take_answer(seat, link)
        elif packet == b"2":
            self._counts.pings += 1
            link.send(b"3")
        elif packet.startswith(b"0") and state == State.OPENING:
            self._states[seat.number] = State.NAMING
            link.send(seat.auth)
        elif packet.startswith((b"1", b"41")):
            self._end(seat, State.LOST)
        elif packet.startswith(b"44"):
            self._last_error = packet
            is_passing = b'"retryable":true' in packet
            self._end(seat, State.BUSY if is_passing else State.REFUSED)
        elif packet.startswith(b"40") and state == State.NAMING:
            self._take_name(seat, link)
        elif state == State.JOINING:
            self._take_join(seat, packet)
        elif packet.startswith(b'42["error"'):
            self._counts.errors += 1
            self._last_error = packet
        else:
            self._counts.others += 1

    def _take_name(self, seat: _Seat, link: Link) -> None:
        if seat.join:
            self._states[seat.number] = State.JOINING
            link.send(seat.join.replace(LAST_SEQ, str(seat.seen)))
        if not seat.join or not self._joined:
            self._become_ready(seat)

    def _take_join(self, seat: _Seat, packet: bytes) -> None:
        confirms = packet.startswith(self._joined)
        if confirms and b'"ok":false' not in packet:
            self._become_ready(seat)
        elif confirms or packet.startswith(b'42["error"'):
            self._last_error = packet
            self._end(seat, State.REFUSED)

    def _become_ready(self, seat: _Seat) -> None:
        self._states[seat.number] = State.READY
        seat.ready_at = time.monotonic_ns()
        self._counts.ready += 1
        self._record(Timing.CONNECTED, seat.began)

    def _take_delivery(self, seat: _Seat, packet: bytes) -> None:
        self._counts.deliveries += 1
        self._counts.delivered_bytes += len(packet)
        if seq := _SEQ.search(packet):
            seat.seen = max(seat.seen, int(seq[1]))
        if stamp := _STAMP.search(packet):
            self._counts.own_deliveries += stamp[1] == self._shard
            if self._awaited and self._counts.own_deliveries >= self._awaited:
                self._has_awaited.set()
            written = int(stamp[2])
            if written < seat.ready_at or self._states[seat.number] != State.READY:
                self._counts.replayed += 1
            elif self._measures:
                self._record(Timing.DELIVERED, written)

    def _take_answer(self, seat: _Seat, link: Link) -> None:
        self._counts.answers += 1
        if self._measures and seat.asked:
            self._record(Timing.ANSWERED, seat.asked)
        seat.asked = 0
        if self._repeated:
            seat.asked = time.monotonic_ns()
            link.send(self._repeated)

    def note_response(self, lane: _Lane, head: bytes) -> None:
        """Count the answer to a request."""
        counts, status = self._counts, int(head[9:12])
        if 200 <= status < 300:
            counts.ok_answers += 1
        else:
            counts.limited_answers += status == 429
            counts.bad_answers += status != 429
            self._last_error = head
        counts.received_bytes += len(lane.buffer)
        if self._measures:
            self._record(Timing.REQUESTED, lane.asked)

    def note_failed_request(self) -> None:
        """Count a request whose connection ended before the answer."""
        self._counts.failed_requests += 1

    def _record(self, timing: Timing, began: int) -> None:
        self._histograms[timing][bucket_of((time.monotonic_ns() - began) // 1000)] += 1
