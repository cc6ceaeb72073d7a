"""Websocket frames from a client: bytes in, messages out, no I/O.

`FrameReader` checks everything RFC 6455 asks of a server: masking, reserved bits,
opcodes, control frames, fragments, UTF-8, close codes, and the size of a message
before its bytes arrive. It holds memory only while a frame or message is incomplete.
"""

import struct
import zlib
from typing import NamedTuple

from pytake.transport.compression import InflatedTooLarge, inflate
from pytake.transport.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, RSV1, TEXT

try:
    from websockets.speedups import apply_mask
except ImportError:  # the C part of `websockets` is optional

    def apply_mask(data: bytes | bytearray | memoryview, mask: bytes | bytearray) -> bytes:
        """Unmask in one pass over big integers; slower than C, still linear."""
        size = len(data)
        repeated = (bytes(mask) * (size // 4 + 1))[:size]
        number = int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")
        return number.to_bytes(size, "little")


PROTOCOL_ERROR, INVALID_DATA, TOO_LARGE = 1002, 1007, 1009
_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class ProtocolError(Exception):
    """The client broke the protocol; the connection must close with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Message(NamedTuple):
    """A complete text or binary message, or one control frame."""

    opcode: int
    payload: bytes


class FrameReader:
    """Turns the byte stream of one client into messages.

    Args:
        max_bytes: The largest message, over all its fragments and after inflating.
        compression: Whether permessage-deflate was negotiated.
    """

    __slots__ = (
        "_buffer",
        "_compressed",
        "_fragments",
        "_needed",
        "_opcode",
        "_size",
        "compression",
        "failure",
        "max_bytes",
    )

    def __init__(self, max_bytes: int, *, compression: bool = False) -> None:
        self.max_bytes = max_bytes
        self.compression = compression
        self.failure: ProtocolError | None = None
        self._buffer: bytearray | None = None
        self._needed = 0
        self._fragments: list[bytes] | None = None
        self._opcode = 0
        self._compressed = False
        self._size = 0

    def feed_text(self, data: bytes) -> bytes | None:
        """Return the payload if these bytes are just one small, whole text message, as
        they are nearly always; None if they must go to `feed`."""
        if self._buffer is None and self._fragments is None and data[0] == 0x81:
            size = len(data)
            second = data[1] if size > 1 else 0
            # Masked, and its length in the first seven bits.
            fits = 0x80 <= second < 0xFE and size == second - 0x80 + 6 <= self.max_bytes + 6
            if fits and self.failure is None:
                return apply_mask(data[6:], data[2:6])
        return None

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that are complete with these bytes.

        When the client breaks the protocol, `failure` says how; the messages before
        the fault are still returned, and nothing after it is read.
        """
        if self.failure is not None:
            return []
        buffer = self._buffer
        if buffer is None:
            view: bytes | bytearray = data
        else:
            buffer += data
            if len(buffer) < self._needed:
                return []
            view = buffer
        messages: list[Message] = []
        try:
            self._read(view, messages)
        except ProtocolError as failure:
            self.failure = failure
            self._buffer = self._fragments = None
        return messages

    def _read(self, view: bytes | bytearray, messages: list[Message]) -> None:
        position = 0
        end = len(view)
        while position < end:
            start = position
            header = self._header(view, position, end)
            if header is None:
                self._keep(view, start, 0)
                return
            first, position, length = header
            if end - position < length + 4:
                self._keep(view, start, position - start + length + 4)
                return
            mask = view[position : position + 4]
            position += 4
            payload = apply_mask(view[position : position + length], mask)
            position += length
            message = self._take(first, payload)
            if message is not None:
                messages.append(message)
        self._buffer = None

    def _keep(self, view: bytes | bytearray, start: int, needed: int) -> None:
        if start or self._buffer is None:
            self._buffer = bytearray(view[start:])
        self._needed = needed

    def _header(
        self, view: bytes | bytearray, position: int, end: int
    ) -> tuple[int, int, int] | None:
        """Return first byte, position of the mask, and length; None if incomplete."""
        if end - position < 2:
            return None
        first, second = view[position], view[position + 1]
        length = second & 0x7F
        if not second & 0x80:
            raise ProtocolError(PROTOCOL_ERROR, "frame is not masked")
        self._check_first(first, length)
        position += 2
        if length == 126:
            if end - position < 2:
                return None
            length = int.from_bytes(view[position : position + 2], "big")
            position += 2
        elif length == 127:
            if end - position < 8:
                return None
            (length,) = struct.unpack_from("!Q", view, position)
            position += 8
        if length + self._size > self.max_bytes and first & 0x0F < CLOSE:
            raise ProtocolError(TOO_LARGE, "message too big")
        return first, position, length

    def _check_first(self, first: int, length: int) -> None:
        opcode = first & 0x0F
        if first & 0x30:
            raise ProtocolError(PROTOCOL_ERROR, "reserved bits are set")
        if first & RSV1 and not (self.compression and opcode in (TEXT, BINARY)):
            raise ProtocolError(PROTOCOL_ERROR, "unexpected compressed frame")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise ProtocolError(PROTOCOL_ERROR, "unknown opcode")
            if not first & 0x80:
                raise ProtocolError(PROTOCOL_ERROR, "fragmented control frame")
            if length > 125:
                raise ProtocolError(PROTOCOL_ERROR, "control frame too long")
        elif opcode > BINARY:
            raise ProtocolError(PROTOCOL_ERROR, "unknown opcode")
        elif opcode == CONTINUATION:
            if self._fragments is None:
                raise ProtocolError(PROTOCOL_ERROR, "unexpected continuation frame")
        elif self._fragments is not None:
            raise ProtocolError(PROTOCOL_ERROR, "expected a continuation frame")

    def _take(self, first: int, payload: bytes) -> Message | None:
        opcode = first & 0x0F
        if opcode >= CLOSE:
            if opcode == CLOSE:
                check_close(payload)
            return Message(opcode, payload)
        if opcode == CONTINUATION:
            fragments = self._fragments
            assert fragments is not None  # noqa: S101  # _check_first made sure
            if payload:
                fragments.append(payload)
                self._size += len(payload)
            if not first & 0x80:
                return None
            payload = b"".join(fragments)
            opcode, compressed = self._opcode, self._compressed
            self._fragments = None
            self._size = 0
        else:
            compressed = bool(first & RSV1)
            if not first & 0x80:
                self._fragments = [payload]
                self._opcode, self._compressed = opcode, compressed
                self._size = len(payload)
                return None
        if compressed:
            payload = self._inflate(payload)
        return Message(opcode, payload)

    def _inflate(self, payload: bytes) -> bytes:
        try:
            return inflate(payload, self.max_bytes)
        except InflatedTooLarge:
            raise ProtocolError(TOO_LARGE, "message too big") from None
        except zlib.error:
            raise ProtocolError(INVALID_DATA, "invalid compressed data") from None


def check_close(payload: bytes) -> int:
    """Return the code of a close frame (1005 if it has none)."""
    if not payload:
        return 1005
    if len(payload) == 1:
        raise ProtocolError(PROTOCOL_ERROR, "close frame too short")
    code = int.from_bytes(payload[:2], "big")
    if code not in _CLOSE_CODES and not 3000 <= code < 5000:
        raise ProtocolError(PROTOCOL_ERROR, "invalid close code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise ProtocolError(INVALID_DATA, "close reason is not UTF-8") from None
    return code


__all__ = ["PING", "PONG", "FrameReader", "Message", "ProtocolError", "check_close"]
