"""A Socket.IO client that costs little: packets of text over one WebSocket, and nothing else.

What the packets mean is for the caller. It exists because a load of thousands of clients must
cost less than what it loads; python-socketio's client spends some hundred microseconds on an event.
"""

import asyncio
import os
import ssl
import zlib
from collections.abc import Callable
from typing import cast

from pytake.bench.swarm import Address

_UPGRADED = b"HTTP/1.1 101"
_INFLATED_END = b"\x00\x00\xff\xff"

OnPacket = Callable[[bytes], None]
OnEnd = Callable[[bytes], None]


def _forget(_: bytes) -> None:
    pass


class Link(asyncio.Protocol):
    """One connection. Calls `on_packet` for each whole packet, `on_end` once.

    Args:
        address: Where it goes.
        on_packet: Gets the packet as bytes, pings included; answers with `send`.
        on_end: Gets the head of the refusal if the upgrade was refused, else nothing.
    """

    def __init__(self, address: Address, on_packet: OnPacket, on_end: OnEnd) -> None:
        self._address = address
        self._request = address.upgrade_request.encode()
        self._on_packet = on_packet
        self._on_end = on_end
        self._buffer = b""
        self._parts: list[bytes] = []
        self._is_upgraded = False
        self._inflater: zlib._Decompress | None = None
        self._transport: asyncio.Transport | None = None
        self.received_bytes = 0
        self.sent_bytes = 0

    # --- what the caller does ------------------------------------------------------------

    async def open(self, tls: ssl.SSLContext | None = None) -> None:
        """Connect and ask for the upgrade; packets may come before this returns.

        Raises:
            OSError: Nobody listens there, or TLS failed. `on_end` is not called.
        """
        address = self._address
        await asyncio.get_running_loop().create_connection(
            lambda: self,
            address.ip,
            address.port,
            ssl=tls,
            server_hostname=address.host if tls else None,
        )

    def send(self, packet: str | bytes) -> None:
        """Send a packet; nothing happens once the connection has ended."""
        self._send_frame(0x81, packet.encode() if isinstance(packet, str) else packet)

    def close(self) -> None:
        """End with a closing frame."""
        if self._transport is not None:
            self._send_frame(0x88, b"\x03\xe8")
            self._transport.close()

    def abort(self) -> None:
        """End as if the network had; nothing is reported any more."""
        self._on_packet = self._on_end = _forget
        self._break()

    def pause(self) -> None:
        """Stop reading."""
        if self._transport is not None:
            self._transport.pause_reading()

    # --- what asyncio calls --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        refusal = b"" if self._is_upgraded else self._buffer
        self._on_end(refusal)

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        buffer = self._buffer + data if self._buffer else data
        if not self._is_upgraded:
            head, blank, rest = buffer.partition(b"\r\n\r\n")
            self._buffer = buffer
            if not blank:
                return
            if not head.startswith(_UPGRADED):
                self._break()
                return
            if b"permessage-deflate" in head:
                self._inflater = zlib.decompressobj(-15)
            self._is_upgraded = True
            buffer = rest
        self._buffer = self._take_frames(buffer)

    def _take_frames(self, buffer: bytes) -> bytes:
        """Take whole frames; return what is left."""
        at, size = 0, len(buffer)
        while size - at >= 2:
            length, start = buffer[at + 1] & 127, at + 2
            if length == 126:
                start += 2
                length = int.from_bytes(buffer[at + 2 : start], "big")
            elif length == 127:
                start += 8
                length = int.from_bytes(buffer[at + 2 : start], "big")
            if size < start or size - start < length:
                break
            self._take_frame(buffer[at], buffer[start : start + length])
            at = start + length
        return buffer[at:] if at else buffer

    def _take_frame(self, head: int, payload: bytes) -> None:
        opcode = head & 15
        if opcode == 8:
            self._break()
        elif opcode == 9:
            self._send_frame(0x8A, payload)
        elif opcode <= 2:
            if self._inflater is not None and (head & 0x40 or self._parts):
                self._parts.append(payload)
                if head & 0x80:
                    payload = b"".join(self._parts)
                    self._parts.clear()
                    self._on_packet(self._inflater.decompress(payload + _INFLATED_END))
            elif head & 0x80 and not self._parts:
                self._on_packet(payload)
            else:
                self._parts.append(payload)
                if head & 0x80:
                    payload = b"".join(self._parts)
                    self._parts.clear()
                    self._on_packet(payload)

    def _send_frame(self, head: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            start = bytes((head, 0x80 | size))
        elif size < 65536:
            start = bytes((head, 0xFE)) + size.to_bytes(2, "big")
        else:
            start = bytes((head, 0xFF)) + size.to_bytes(8, "big")
        mask = os.urandom(4)
        pad = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        self._write(start + mask + (int.from_bytes(payload, "big") ^ pad).to_bytes(size, "big"))

    def _break(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self.sent_bytes += len(data)
            self._transport.write(data)


def tls_of(address: Address) -> ssl.SSLContext | None:
    """Return how TLS is spoken with it, None for plain sockets."""
    if not address.is_tls:
        return None
    context = ssl.create_default_context()
    if not address.verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
