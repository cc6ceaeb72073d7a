"""What pods say to each other about events: a short header and the encoded packet.

The receiving pod hands the packet on without decoding it. The header is one line of
JSON: the sending pod, namespace, room or rooms, sids to skip, whether the frame is
ephemeral, and the sizes of the parts that follow the newline (-1 in front if there is no
text part). Everything else (disconnect, enter_room, callbacks) is python-socketio's own
JSON dictionary.
"""

from typing import Any, NamedTuple

import orjson

from pytake.transport.frames import PreparedPacket


class Delivery(NamedTuple):
    """An event for the members of a room on other pods."""

    pod_id: str
    namespace: str
    room: Any
    skip: list[str]
    ephemeral: bool
    packet: PreparedPacket


def encode(delivery: Delivery) -> bytes:
    packet = delivery.packet
    parts = (packet.text or b"", *packet.attachments)
    sizes = [len(packet.text) if packet.text is not None else -1]
    sizes += [len(attachment) for attachment in packet.attachments]
    header = [
        delivery.pod_id,
        delivery.namespace,
        delivery.room,
        delivery.skip,
        int(delivery.ephemeral),
        sizes,
    ]
    return b"".join((orjson.dumps(header), b"\n", *parts))


def is_delivery(message: bytes) -> bool:
    """Tell a delivery from a dictionary of python-socketio."""
    return message[:1] == b"["


def decode(message: bytes) -> Delivery:
    """Read a delivery.

    Raises:
        ValueError: It is none.
    """
    end = message.find(b"\n")
    header = orjson.loads(message[:end])
    if end < 0 or not isinstance(header, list) or len(header) != 6:
        raise ValueError("not a delivery")
    pod_id, namespace, room, skip, ephemeral, sizes = header
    position = end + 1
    text: bytes | None = None
    attachments = []
    for index, size in enumerate(sizes):
        part = message[position : position + max(size, 0)]
        if len(part) != max(size, 0):
            raise ValueError("a part is missing")
        position += len(part)
        if index:
            attachments.append(part)
        elif size >= 0:
            text = part
    packet = PreparedPacket(text, tuple(attachments))
    return Delivery(pod_id, namespace, room, skip, bool(ephemeral), packet)
