"""Polling every five seconds against the socket: the table of the document this project began with.

The same agents look at the same conversations and the same messages are written, first with pages
that ask for the newest messages every five seconds, then with sockets. Latency runs from the
request that writes to the moment a page has the message; bytes are those of HTTP and WebSocket in
both directions, without TLS and below.
"""

import asyncio
import random
import re
import statistics
import time
from dataclasses import dataclass, field

from pytake.bench.dialect import Product, Seat, http_request, stamped
from pytake.bench.link import Link, tls_of
from pytake.bench.swarm import LAST_SEQ, Address

POLL_SECONDS = 5.0
_STAMP = re.compile(rb"@T0\.(\d+)@")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@dataclass
class Way:
    """What one way of looking came to."""

    name: str
    clients: int
    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    requests: int = 0
    bytes_in_all: int = 0
    expected: int = 0

    @property
    def requests_per_client_minute(self) -> float:
        """HTTP requests that one page makes."""
        return self.requests / self.clients / self.seconds * 60

    @property
    def kb_per_client_minute(self) -> float:
        """Bytes in both directions, in thousands."""
        return self.bytes_in_all / self.clients / self.seconds * 60 / 1000

    def quantile(self, share: float) -> float:
        """Latency in milliseconds."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def note(self, data: bytes, seen: set[bytes]) -> None:
        """Find the messages in what came, and time those that are new to this client."""
        now = time.monotonic_ns()
        for stamp in _STAMP.findall(data):
            if stamp not in seen:
                seen.add(stamp)
                self.latencies_ms.append((now - int(stamp)) / 1e6)


async def compare(
    address: Address, dialect: Product, seats: list[Seat], *, per_second: float, seconds: float
) -> tuple[Way, Way]:
    """Return what polling and what sockets came to, one after the other."""
    polling = Way("polling every 5 s", len(seats))
    socket = Way("socket", len(seats))
    for way, look in ((polling, _poll), (socket, _listen)):
        ready = asyncio.Barrier(len(seats) + 1)
        async with asyncio.TaskGroup() as group:
            lookers = [
                group.create_task(look(way, address, dialect, seat, ready)) for seat in seats
            ]
            await ready.wait()
            began, before = time.monotonic(), (way.requests, way.bytes_in_all)
            way.expected = await _write(dialect, seats, per_second, seconds)
            await asyncio.sleep(POLL_SECONDS + 1)  # the last one is seen by all
            way.seconds = time.monotonic() - began
            for looker in lookers:
                looker.cancel()
        way.requests -= before[0]
        way.bytes_in_all -= before[1]
    return polling, socket


async def _write(dialect: Product, seats: list[Seat], per_second: float, seconds: float) -> int:
    """Write at a fixed rate; return how often a page should have seen a message."""
    api = dialect.address
    reader, writer = await asyncio.open_connection(
        api.ip, api.port, ssl=tls_of(api), server_hostname=api.host if api.is_tls else None
    )
    rooms = sorted({seat.room for seat in seats})
    watchers = {room: sum(seat.room == room for seat in seats) for room in rooms}
    began, expected = time.monotonic(), 0
    for number in range(round(per_second * seconds)):
        await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
        room = dialect.rooms[rooms[number % len(rooms)]]
        body = {"message_type": "text", "content": {"text": stamped(0, 100)}}
        path = f"/api/v1/conversations/{room.conversation_id}/messages"
        token = room.writers[number % len(room.writers)]
        writer.write(http_request(api, "POST", path, token, body))
        head, _ = await _answer(reader)
        if b" 201 " in head[:20]:
            expected += watchers[rooms[number % len(rooms)]]
    writer.close()
    return expected


async def _poll(
    way: Way, address: Address, dialect: Product, seat: Seat, ready: asyncio.Barrier
) -> None:
    """A page that asks for the newest messages, at its own beat."""
    api = dialect.address
    conversation = dialect.rooms[seat.room].conversation_id
    path = f"/api/v1/conversations/{conversation}/messages?limit=20"
    request = http_request(api, "GET", path, seat.token)
    seen: set[bytes] = set()
    await ready.wait()
    await asyncio.sleep(random.random() * POLL_SECONDS)  # noqa: S311
    while True:
        began = time.monotonic()
        # Browsers keep a connection for longer than five seconds, servers often do not.
        reader, writer = await asyncio.open_connection(
            api.ip, api.port, ssl=tls_of(api), server_hostname=api.host if api.is_tls else None
        )
        writer.write(request)
        head, body = await _answer(reader)
        writer.close()
        way.requests += 1
        way.bytes_in_all += len(request) + len(head) + len(body)
        way.note(body, seen)
        await asyncio.sleep(max(0.0, began + POLL_SECONDS - time.monotonic()))


async def _listen(
    way: Way, address: Address, dialect: Product, seat: Seat, ready: asyncio.Barrier
) -> None:
    """A page with a socket."""
    seen: set[bytes] = set()
    joined, ended = asyncio.Event(), asyncio.Event()
    is_counted = False

    def take(packet: bytes) -> None:
        if packet == b"2":
            link.send(b"3")
        elif packet.startswith(b"0"):
            link.send(seat.connects_with)
        elif packet.startswith(b"40"):
            link.send(seat.joins_with.replace(LAST_SEQ, str(2**31)))
        elif packet.startswith(b"431["):
            joined.set()
        elif packet.startswith(b'42["message:new"') and is_counted:
            way.note(packet, seen)

    link = Link(address, take, lambda refusal: ended.set())
    try:
        await link.open(tls_of(address))
        async with asyncio.timeout(20):
            await joined.wait()
        await ready.wait()
        is_counted = True
        way.bytes_in_all -= link.received_bytes + link.sent_bytes
        await ended.wait()
    finally:
        way.bytes_in_all += link.received_bytes + link.sent_bytes
        link.abort()


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if length is not None:
        return head, await reader.readexactly(int(length[1]))
    chunks = await reader.readuntil(b"0\r\n\r\n")
    return head, chunks


def table(polling: Way, socket: Way) -> str:
    """Return both ways side by side, as Markdown."""
    rows: list[tuple[str, ...]] = [("", polling.name, socket.name), ("---", "---", "---")]
    for title, share in (("p50", 0.5), ("p99", 0.99)):
        cells = [f"{way.quantile(share):,.1f} ms" for way in (polling, socket)]
        rows.append((f"latency {title}", *cells))
    means = [f"{statistics.fmean(w.latencies_ms or [0]):,.1f} ms" for w in (polling, socket)]
    rows.append(("latency, mean", *means))
    rows.append(
        (
            "HTTP requests a minute and page",
            *(f"{way.requests_per_client_minute:.1f}" for way in (polling, socket)),
        )
    )
    rows.append(
        (
            "kB a minute and page",
            *(f"{way.kb_per_client_minute:.2f}" for way in (polling, socket)),
        )
    )
    rows.append(
        (
            "messages seen, of those written",
            *(f"{len(way.latencies_ms)} of {way.expected}" for way in (polling, socket)),
        )
    )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
