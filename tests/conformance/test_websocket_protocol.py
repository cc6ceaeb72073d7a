"""RFC 6455 and RFC 7692 on direct sockets, case by case in the manner of the Autobahn suite.

An Engine.IO application echoes every message, so what comes back is what was understood.
"""

import asyncio
import random
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pytake.transport import AsyncServer
from running_transport import Pod, RawWebsocket, masked, running

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    sio = AsyncServer(
        connect_timeout=0,
        cors_allowed_origins="*",
        max_http_buffer_size=200_000,
        compression_threshold=64,
    )

    async def echo(sid: str, data: Any) -> None:
        await sio.eio.send(sid, data)

    sio.eio.on("message", echo)
    async with running(sio) as pod:
        yield pod


@pytest.fixture
async def client(pod: Pod) -> AsyncIterator[RawWebsocket]:
    client = await RawWebsocket.open(pod)
    await client.receive()
    yield client
    await client.close()


@pytest.fixture
async def deflating(pod: Pod) -> AsyncIterator[RawWebsocket]:
    client = await RawWebsocket.open(pod, headers=OFFER)
    await client.receive()
    yield client
    await client.close()


# --- Opening handshake -------------------------------------------------------------------


async def test_the_handshake_is_accepted(client: RawWebsocket) -> None:
    assert client.response.startswith(b"HTTP/1.1 101 ")
    assert b"sec-websocket-extensions" not in client.response


async def test_compression_is_agreed_without_a_window_per_connection(
    deflating: RawWebsocket,
) -> None:
    assert (
        b"sec-websocket-extensions: permessage-deflate; "
        b"server_no_context_takeover; client_no_context_takeover\r\n"
    ) in deflating.response


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Sec-WebSocket-Version", "12"),
        ("Sec-WebSocket-Key", "short"),
        ("Sec-WebSocket-Key", ""),
        ("Upgrade", "websocket2"),
    ],
)
async def test_a_bad_handshake_is_refused(pod: Pod, header: str, value: str) -> None:
    headers = {
        "Host": "x",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        header: value,
    }
    reader, writer = await asyncio.open_connection("127.0.0.1", pod.port)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"GET {pod.path}?EIO=4&transport=websocket HTTP/1.1\r\n{lines}\r\n".encode())

    status = await asyncio.wait_for(reader.readline(), 2)

    assert status.split()[1] in (b"400", b"426")
    writer.close()


# --- Messages, fragments, control frames ---------------------------------------------------


@pytest.mark.parametrize("size", [1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 131072])
async def test_a_text_of_any_length_is_echoed(client: RawWebsocket, size: int) -> None:
    client.send(b"4" + b"x" * (size - 1))

    assert await client.receive() == (0x81, b"4" + b"x" * (size - 1))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
async def test_binary_of_any_length_is_echoed(client: RawWebsocket, size: int) -> None:
    payload = random.Random(size).randbytes(size)
    client.send(payload, BINARY)

    assert await client.receive() == (0x82, payload)


@pytest.mark.parametrize("cut", [1, 2, 5, 1000])
async def test_frames_may_arrive_in_pieces(client: RawWebsocket, cut: int) -> None:
    data = masked(b"4one") + masked(b"4" + b"y" * 400) + masked(b"\x00\x01", BINARY)
    for start in range(0, len(data), cut):
        client.writer.write(data[start : start + cut])
        if cut < 10:
            await client.writer.drain()
            await asyncio.sleep(0)

    assert await client.receive() == (0x81, b"4one")
    assert await client.receive() == (0x81, b"4" + b"y" * 400)
    assert await client.receive() == (0x82, b"\x00\x01")


async def test_a_message_may_come_in_fragments_with_control_frames_between(
    client: RawWebsocket,
) -> None:
    client.send(b"4fr", first=0x01)
    client.send(b"ping!", PING)
    client.send(b"", first=0x00)
    client.send(b"agm" + "é".encode()[:1], first=0x00)
    client.send("é".encode()[1:] + b"nt", first=0x80)

    assert await client.receive() == (0x8A, b"ping!")
    assert await client.receive() == (0x81, "4fragmént".encode())


@pytest.mark.parametrize("payload", [b"", b"x", b"\x00\xff" * 62])
async def test_a_ping_is_answered_with_its_payload(client: RawWebsocket, payload: bytes) -> None:
    client.send(payload, PING)

    assert await client.receive() == (0x8A, payload)


async def test_unasked_pongs_are_ignored(client: RawWebsocket) -> None:
    client.send(b"unasked", PONG)
    client.send(b"4still here")

    assert await client.receive() == (0x81, b"4still here")


# --- Faults --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(masked(b"4x", first=0xC1), 1002, id="RSV1"),
        pytest.param(masked(b"4x", first=0xA1), 1002, id="RSV2"),
        pytest.param(masked(b"4x", first=0x91), 1002, id="RSV3"),
        pytest.param(masked(b"", first=0x83), 1002, id="opcode 3"),
        pytest.param(masked(b"", first=0x87), 1002, id="opcode 7"),
        pytest.param(masked(b"", first=0x8B), 1002, id="opcode 11"),
        pytest.param(masked(b"", first=0x8F), 1002, id="opcode 15"),
        pytest.param(masked(b"x" * 126, PING), 1002, id="ping of 126"),
        pytest.param(masked(b"x", first=0x09), 1002, id="fragmented ping"),
        pytest.param(masked(b"x", first=0x80), 1002, id="continuation of nothing"),
        pytest.param(masked(b"4a", first=0x01) + masked(b"4b"), 1002, id="text inside a text"),
        pytest.param(b"\x81\x024x", 1002, id="not masked"),
        pytest.param(masked(b"4\xff\xfe"), 1007, id="bad UTF-8"),
        pytest.param(masked(b"4\xed\xa0\x80"), 1007, id="a surrogate in UTF-8"),
        pytest.param(masked(b"4\xc0\xaf"), 1007, id="overlong UTF-8"),
        pytest.param(masked(b"4\xf4\x90\x80\x80"), 1007, id="beyond Unicode"),
        pytest.param(
            masked(b"4\xce", first=0x01) + masked(b"x", first=0x80), 1007, id="cut in a character"
        ),
        pytest.param(masked(b"x" * 200_001, BINARY), 1009, id="too large"),
        pytest.param(
            masked(b"x" * 150_000, first=0x02) + masked(b"x" * 150_000, first=0x80),
            1009,
            id="too large in fragments",
        ),
    ],
)
async def test_a_fault_closes_with_its_code(client: RawWebsocket, data: bytes, code: int) -> None:
    client.writer.write(data)

    assert await client.close_code() == code


# --- Closing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        1000,
        1001,
        1002,
        1003,
        1007,
        1008,
        1009,
        1010,
        1011,
        1012,
        1013,
        1014,
        3000,
        3999,
        4000,
        4999,
    ],
)
async def test_a_close_is_answered_with_its_code(client: RawWebsocket, code: int) -> None:
    client.send(code.to_bytes(2, "big") + "tschüß".encode(), CLOSE)

    assert await client.close_code() == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000])
async def test_a_close_code_that_may_not_be_sent_is_a_fault(
    client: RawWebsocket, code: int
) -> None:
    client.send(code.to_bytes(2, "big"), CLOSE)

    assert await client.close_code() == 1002


@pytest.mark.parametrize(
    ("payload", "code"), [(b"", 1005), (b"\x03", 1002), (b"\x03\xe8\xff", 1007)]
)
async def test_odd_closes(client: RawWebsocket, payload: bytes, code: int) -> None:
    client.send(payload, CLOSE)

    assert await client.close_code() == code


async def test_nothing_is_answered_after_a_close(client: RawWebsocket) -> None:
    client.writer.write(masked(b"\x03\xe8", CLOSE) + masked(b"4late") + masked(b"late", PING))

    first, _ = await client.receive()
    assert first == 0x88
    assert await client.reader.read() == b""


# --- Compression -----------------------------------------------------------------------------


def deflated(payload: bytes, level: int = 6) -> bytes:
    compressor = zlib.compressobj(level, wbits=-15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("size", [1, 63, 64, 1000, 65536, 150_000])
async def test_compressed_messages_are_echoed(deflating: RawWebsocket, size: int) -> None:
    payload = b"4" + b"abc" * (size // 3)
    deflating.send(deflated(payload), first=0xC1)

    first, answer = await deflating.receive()

    if first & 0x40:
        answer = zlib.decompressobj(-15).decompress(answer)
    assert answer == payload
    assert bool(first & 0x40) == (len(payload) + 2 >= 64)


async def test_compressed_fragments_are_echoed(deflating: RawWebsocket) -> None:
    data = deflated(b"4fragmented")
    deflating.send(data[:3], first=0x41)
    deflating.send(b"", PING)
    deflating.send(data[3:], first=0x80)

    assert await deflating.receive() == (0x8A, b"")
    assert await deflating.receive() == (0x81, b"4fragmented")


async def test_plain_messages_are_echoed_beside_compressed_ones(deflating: RawWebsocket) -> None:
    deflating.send(b"4plain")
    deflating.send(deflated(b"4squeezed", 9), first=0xC1)

    assert await deflating.receive() == (0x81, b"4plain")
    assert await deflating.receive() == (0x81, b"4squeezed")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(masked(b"\xff\xff\xff\xff", first=0xC1), 1007, id="no deflate data"),
        pytest.param(masked(deflated(b"4" + b"a" * 1_000_000), first=0xC1), 1009, id="a bomb"),
        pytest.param(masked(deflated(b"4\xff"), first=0xC1), 1007, id="bad UTF-8 inside"),
        pytest.param(masked(b"", first=0xC9), 1002, id="a compressed ping"),
        pytest.param(
            masked(b"x", first=0x01) + masked(b"y", first=0xC0), 1002, id="RSV1 on a continuation"
        ),
    ],
)
async def test_a_fault_in_compression_closes(
    deflating: RawWebsocket, data: bytes, code: int
) -> None:
    deflating.writer.write(data)

    assert await deflating.close_code() == code


# --- Beside Socket.IO --------------------------------------------------------------------------


async def test_websockets_on_other_paths_reach_the_application_beside_it() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": scope["path"] + " " + message["text"]})
        await receive()

    async with running(AsyncServer(), application) as pod:
        client = await RawWebsocket.open(pod, target="/other")
        client.send(b"hello")

        assert await client.receive() == (0x81, b"/other hello")
        await client.close()
