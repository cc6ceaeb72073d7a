"""Frames from clients: whatever way the bytes are cut, and whatever they are."""

import random
import zlib

import pytest

from pytake.transport.frames import BINARY, CLOSE, PING, TEXT, frame
from pytake.transport.parser import FrameReader, Message
from running_transport import masked


def read(data: bytes, *, max_bytes: int = 1000, compression: bool = False) -> list[Message]:
    reader = FrameReader(max_bytes, compression=compression)
    messages = reader.feed(data)
    assert reader.failure is None
    return messages


def failure_code(data: bytes, *, max_bytes: int = 1000, compression: bool = False) -> int | None:
    reader = FrameReader(max_bytes, compression=compression)
    reader.feed(data)
    return reader.failure.code if reader.failure is not None else None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
def test_a_message_of_any_length_is_read(size: int) -> None:
    payload = random.Random(size).randbytes(size)

    assert read(masked(payload, BINARY), max_bytes=70000) == [(BINARY, payload)]


def test_the_way_the_bytes_are_cut_does_not_matter() -> None:
    stream = (
        masked(b"one")
        + masked(b"fr", first=0x01)
        + masked(b"", PING)
        + masked(b"", first=0x00)
        + masked(b"ag", first=0x80)
        + masked(b"x" * 300, BINARY)
    )
    expected = [(TEXT, b"one"), (PING, b""), (TEXT, b"frag"), (BINARY, b"x" * 300)]

    for size in (1, 2, 3, 7, 100, len(stream)):
        reader = FrameReader(1000)
        messages = []
        for start in range(0, len(stream), size):
            messages += reader.feed(stream[start : start + size])
        assert messages == expected
        assert reader.failure is None


def test_what_came_before_a_fault_is_still_delivered() -> None:
    reader = FrameReader(1000)

    assert reader.feed(masked(b"good") + masked(b"bad", first=0xC1)) == [(TEXT, b"good")]
    assert reader.failure is not None
    assert reader.feed(masked(b"later")) == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(b"unmasked"), 1002, id="unmasked"),
        pytest.param(masked(b"", first=0x91), 1002, id="reserved bit"),
        pytest.param(masked(b"", first=0xC1), 1002, id="compressed, not negotiated"),
        pytest.param(masked(b"", 0x3), 1002, id="unknown data opcode"),
        pytest.param(masked(b"", 0xB), 1002, id="unknown control opcode"),
        pytest.param(masked(b"", first=0x09), 1002, id="fragmented ping"),
        pytest.param(masked(b"x" * 126, PING), 1002, id="long ping"),
        pytest.param(masked(b"", first=0x80), 1002, id="continuation of nothing"),
        pytest.param(masked(b"a", first=0x01) + masked(b"b"), 1002, id="new message inside one"),
        pytest.param(masked(b"\x03", CLOSE), 1002, id="close of one byte"),
        pytest.param(masked(b"\x03\xed", CLOSE), 1002, id="close code 1005"),
        pytest.param(masked(b"\x03\xe8\xff", CLOSE), 1007, id="close reason not UTF-8"),
        pytest.param(masked(b"x" * 1001), 1009, id="too big"),
        pytest.param(
            masked(b"x" * 600, first=0x01) + masked(b"x" * 600, first=0x80),
            1009,
            id="too big in two",
        ),
        pytest.param(b"\x81\xff" + b"\x7f" + b"\xff" * 7, 1009, id="too big to come"),
    ],
)
def test_a_fault_closes_with_its_code(data: bytes, code: int) -> None:
    assert failure_code(data) == code


def test_compressed_messages_are_inflated_within_the_limit() -> None:
    def deflated(payload: bytes) -> bytes:
        compressor = zlib.compressobj(wbits=-15)
        return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]

    assert read(masked(deflated(b"a" * 1000), first=0xC1), compression=True) == [
        (TEXT, b"a" * 1000)
    ]
    bomb = masked(deflated(b"a" * 1_000_000), first=0xC1)
    assert failure_code(bomb, max_bytes=10_000, compression=True) == 1009
    assert failure_code(masked(b"\xff\xff\xff", first=0xC1), compression=True) == 1007
