"""Packets encoded once: every form of them says the same."""

import zlib

import pytest
from socketio import packet as sio_packet

from pytake.transport.compression import accepts_offer
from pytake.transport.frames import PreparedPacket, encode_ack, encode_event, frame


@pytest.mark.parametrize(
    ("data", "namespace"),
    [
        ({"text": "olá", "n": [1, 2.5, None, True]}, "/"),
        (("two", "arguments"), "/chat"),
        (None, "/"),
        ({2: "key that is a number", "big": 2**70}, "/"),
    ],
)
def test_an_event_reads_as_python_socketio_would_write_it(data: object, namespace: str) -> None:
    arguments = list(data) if isinstance(data, tuple) else [] if data is None else [data]
    theirs = sio_packet.Packet(sio_packet.EVENT, ["e", *arguments], namespace=namespace)

    text = encode_event("e", data, namespace).text
    assert text is not None
    ours = sio_packet.Packet(encoded_packet=text[1:].decode())

    expected = sio_packet.Packet(encoded_packet=theirs.encode())
    assert (ours.namespace, ours.id, ours.data) == (expected.namespace, None, expected.data)


def test_half_a_surrogate_pair_is_sent_as_an_escape() -> None:
    assert encode_event("e", "\ud83d").text == b'42["e","\\ud83d"]'


def test_binary_data_become_frames_behind_the_text() -> None:
    packet = encode_event("e", {"a": b"\x01\x02", "b": [b"\x03"]})

    text = b'452-["e",{"a":{"_placeholder":true,"num":0},"b":[{"_placeholder":true,"num":1}]}]'
    assert packet.frame == frame(text) + frame(b"\x01\x02", 2) + frame(b"\x03", 2)
    assert packet.polling_packets() == [text.decode(), "bAQI=", "bAw=="]


def test_an_acknowledgement_carries_its_id() -> None:
    assert encode_ack(7, {"ok": True}).text == b'437[{"ok":true}]'
    assert encode_ack(7, None).text == b"437[]"
    assert encode_ack(0, (1, 2), "/chat").text == b"43/chat,0[1,2]"


def test_data_without_a_form_in_json_is_refused() -> None:
    with pytest.raises(TypeError):
        encode_event("e", object())


def test_a_compressed_frame_inflates_to_the_text() -> None:
    packet = encode_event("e", "ab" * 2000)

    assert packet.compressed[0] == 0xC1
    assert len(packet.compressed) < packet.size
    assert zlib.decompressobj(-15).decompress(packet.compressed[2:]) == packet.text


def test_what_compression_would_lengthen_stays_plain() -> None:
    packet = PreparedPacket(b"4x")

    assert packet.compressed == packet.frame


@pytest.mark.parametrize(
    ("offer", "accepted"),
    [
        ("permessage-deflate; client_max_window_bits", True),
        ("permessage-deflate", True),
        ("permessage-deflate; server_max_window_bits=15; client_max_window_bits=10", True),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", True),
        ("permessage-deflate; server_max_window_bits=10", False),
        ("permessage-deflate; unknown=1", False),
        ("permessage-deflate; client_max_window_bits=99", False),
        ("x-webkit-deflate-frame", False),
        ("", False),
    ],
)
def test_an_offer_is_taken_only_if_one_frame_suits_all(offer: str, accepted: bool) -> None:
    assert accepts_offer(offer) is accepted
