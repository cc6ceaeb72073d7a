"""Packets that are encoded once and written many times.

A `PreparedPacket` holds one Socket.IO packet in the forms a recipient may need: the
websocket frame (one byte string, with binary attachments appended as frames of
their own), the same frame compressed, the payload of a polling response, and the
Engine.IO packets of stock sockets. Each form is made when the first recipient
needs it and shared by all others.
"""

import base64
import struct
from typing import Any

from engineio import packet as eio_packet
from socketio import packet as sio_packet

from pytake.transport.codec import DEFAULT_CODEC, JsonCodec
from pytake.transport.compression import deflate

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1 = 0x80, 0x40

_SEPARATOR = "\x1e"


def frame(payload: bytes, opcode: int = TEXT, *, rsv1: bool = False) -> bytes:
    """Return one unmasked, unfragmented websocket frame."""
    first = FIN | opcode | (RSV1 if rsv1 else 0)
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65536:
        return struct.pack("!BBH", first, 126, length) + payload
    return struct.pack("!BBQ", first, 127, length) + payload


class PreparedPacket:
    """One Engine.IO message, ready for any transport. Immutable to its users.

    Args:
        text: The text packet with its Engine.IO type, `b'42["event",{}]'`; None if
            the packet is binary only.
        attachments: Binary packets that follow the text.
    """

    __slots__ = ("_compressed", "_stock", "attachments", "frame", "holders", "size", "text")

    def __init__(self, text: bytes | None, attachments: tuple[bytes, ...] = ()) -> None:
        self.text = text
        self.attachments = attachments
        if attachments:
            parts = [] if text is None else [frame(text)]
            parts += [frame(attachment, BINARY) for attachment in attachments]
            self.frame = b"".join(parts)
        else:
            self.frame = frame(text or b"")
        self.size = len(self.frame)
        # How many connections have it buffered; kept by the send budget.
        self.holders = 0
        self._compressed: bytes | None = None
        self._stock: tuple[Any, ...] | None = None

    @property
    def compressed(self) -> bytes:
        """The frame with its text compressed, or the plain frame if that is shorter.

        It uses no context of earlier messages, so every connection that negotiated
        compression can read the same bytes.
        """
        if self._compressed is None:
            self._compressed = self._compress()
        return self._compressed

    def _compress(self) -> bytes:
        if self.text is None:
            return self.frame
        head = frame(deflate(self.text), TEXT, rsv1=True)
        if self.attachments:
            head += b"".join(frame(attachment, BINARY) for attachment in self.attachments)
        return head if len(head) < self.size else self.frame

    def polling_packets(self) -> list[str]:
        """Return the packets as a polling response carries them (binary in base64)."""
        packets = [] if self.text is None else [self.text.decode()]
        packets += ["b" + base64.b64encode(each).decode() for each in self.attachments]
        return packets

    def stock_packets(self) -> tuple[Any, ...]:
        """Return python-engineio packets, the same objects for every recipient."""
        if self._stock is None:
            parts: list[str | bytes] = [] if self.text is None else [self.text[1:].decode()]
            parts += self.attachments
            kind = int(self.text[:1]) if self.text else eio_packet.MESSAGE
            self._stock = tuple(
                eio_packet.Packet(eio_packet.MESSAGE if isinstance(part, bytes) else kind, part)
                for part in parts
            )
        return self._stock


def encode_event(
    event: str,
    data: Any = None,
    namespace: str = "/",
    *,
    ack_id: int | None = None,
    codec: JsonCodec = DEFAULT_CODEC,
) -> PreparedPacket:
    """Encode an event once, for any number of recipients.

    Args:
        event: The name of the event.
        data: Its argument; a tuple is expanded to several arguments, None to none.
            Bytes anywhere inside become binary attachments.
        namespace: The Socket.IO namespace of the recipients.
        ack_id: Asks the recipient for an acknowledgement with this id.
        codec: The JSON to use.

    Raises:
        TypeError: The data has no form in JSON.
    """
    arguments = [event, *_expand(data)]
    return _encode(sio_packet.EVENT, arguments, namespace, ack_id, codec)


def encode_ack(
    ack_id: int, answer: Any, namespace: str = "/", codec: JsonCodec = DEFAULT_CODEC
) -> PreparedPacket:
    """Encode the acknowledgement of a client's event; a tuple is several arguments."""
    return _encode(sio_packet.ACK, _expand(answer), namespace, ack_id, codec)


def encode_control(kind: int, namespace: str, data: Any = None) -> PreparedPacket:
    """Encode a CONNECT, DISCONNECT or CONNECT_ERROR packet."""
    text = f"4{kind}"
    if namespace != "/":
        text += f"{namespace},"
    body = b"" if data is None else DEFAULT_CODEC.encode(data)
    return PreparedPacket(text.encode() + body)


def from_encoded(encoded: str | bytes | list[str | bytes]) -> PreparedPacket:
    """Prepare what a Socket.IO packet's `encode()` returned, whatever serializer made it."""
    parts = encoded if isinstance(encoded, list) else [encoded]
    texts = [part for part in parts if isinstance(part, str)]
    attachments = tuple(bytes(part) for part in parts if not isinstance(part, str))
    return PreparedPacket(b"4" + texts[0].encode() if texts else None, attachments)


def from_engineio(packet: Any) -> PreparedPacket:
    """Prepare a python-engineio packet."""
    encoded = packet.encode()
    if isinstance(encoded, str):
        return PreparedPacket(encoded.encode())
    return PreparedPacket(None, (bytes(encoded),))


def join_polling(packets: list[str]) -> bytes:
    """Return the body of a polling response."""
    return _SEPARATOR.join(packets).encode()


def _expand(data: Any) -> list[Any]:
    if data is None:
        return []
    return list(data) if isinstance(data, tuple) else [data]


def _encode(
    kind: int, arguments: list[Any], namespace: str, ack_id: int | None, codec: JsonCodec
) -> PreparedPacket:
    address = "" if namespace == "/" else f"{namespace},"
    if ack_id is not None:
        address += str(ack_id)
    try:
        body = codec.encode(arguments)
    except TypeError:
        if not sio_packet.Packet.data_is_binary(arguments):
            raise
        stripped, attachments = sio_packet.Packet.deconstruct_binary(arguments)
        binary_kind = sio_packet.BINARY_EVENT if kind == sio_packet.EVENT else sio_packet.BINARY_ACK
        head = f"4{binary_kind}{len(attachments)}-{address}".encode()
        return PreparedPacket(head + codec.encode(stripped), tuple(map(bytes, attachments)))
    return PreparedPacket(f"4{kind}{address}".encode() + body)
