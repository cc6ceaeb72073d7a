"""Clients that do not read cost what was agreed, and others do not notice."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pytake.transport import AsyncServer, PreparedPacket, encode_event
from running_transport import Pod, RawWebsocket, connected, masked, polling, running, until

FRAME = "x" * 30_000
LIMIT_BYTES = 150_000


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    async with running(make_server()) as pod:
        yield pod


def make_server(**options: Any) -> AsyncServer:
    options.setdefault("send_buffer_bytes", LIMIT_BYTES)
    sio = AsyncServer(cors_allowed_origins="*", compression=False, **options)

    @sio.on("connect")
    async def connect(sid: str, environ: Any, auth: Any) -> None:
        await sio.enter_room(sid, "r")

    return sio


async def stalled(pod: Pod, receive_buffer_bytes: int = 4096) -> RawWebsocket:
    """Connect a client that reads nothing any more."""
    client = await RawWebsocket.open(pod)
    channel = client.writer.get_extra_info("socket")
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    client.send(b"40")
    while not (await client.receive())[1].startswith(b"40"):
        pass
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    return client


async def emit_until(pod: Pod, what: str, **options: Any) -> int:
    for number in range(2000):
        if pod.sio.stats.closed[what]:
            return number
        await pod.sio.manager.emit_local("n", FRAME, room="r", **options)
        await asyncio.sleep(0)
    raise AssertionError(f"no {what} after 2000 frames")


async def test_a_stalled_reader_is_closed_and_counted(pod: Pod) -> None:
    client = await stalled(pod)
    reasons: list[str] = []
    pod.sio.on("disconnect", lambda sid, reason: reasons.append(reason))

    frames = await emit_until(pod, "slow_consumer")

    # What fits into both kernels and the transport, and then the limit.
    assert LIMIT_BYTES // len(FRAME) < frames < 250
    await until(lambda: reasons == ["slow_consumer"], "the handler is told")
    assert pod.sio.stats.buffered_bytes == 0
    assert pod.sio.stats.slow_connections == 0
    assert pod.sio.manager.rooms == {}
    await client.close()


async def test_a_stalled_reader_is_reset_so_that_it_notices(pod: Pod) -> None:
    client = await stalled(pod)
    await emit_until(pod, "slow_consumer")
    await asyncio.sleep(1.2)

    client.writer.transport.resume_reading()  # type: ignore[attr-defined]

    with pytest.raises(ConnectionResetError):
        await client.reader.read(-1)
    client.writer.close()


async def test_a_slow_but_living_reader_reads_why() -> None:
    why = encode_event("error", {"code": "slow_consumer"})
    asked: list[str] = []

    def last_words(sid: str) -> PreparedPacket:
        asked.append(sid)
        return why

    async with running(make_server(on_slow_consumer=last_words)) as pod:
        client = await stalled(pod, receive_buffer_bytes=200_000)
        await emit_until(pod, "slow_consumer")

        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        last = b""
        while True:
            first, payload = await client.receive()
            if first & 0x0F == 8:
                break
            last = payload

        assert last == why.text
        assert payload == (1013).to_bytes(2, "big")
        assert len(asked) == 1
        await client.close()


async def test_the_others_receive_everything(pod: Pod) -> None:
    client = await stalled(pod)
    async with connected(pod, 2) as healthy:
        count = await emit_until(pod, "slow_consumer")

        for each in healthy:
            await until(lambda c=each: len(c.of("n")) >= count, "all frames")  # type: ignore[misc]
    await client.close()


async def test_ephemeral_frames_go_first(pod: Pod) -> None:
    client = await stalled(pod, receive_buffer_bytes=20_000)
    for _ in range(300):
        await pod.sio.manager.emit_local("typing", FRAME, room="r", ephemeral=True)
        await asyncio.sleep(0)
    for number in range(4):
        assert await pod.sio.manager.emit_local("durable", number, room="r") == 1

    assert pod.sio.stats.shed_frames > 0
    assert not pod.sio.stats.closed
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    durable: list[bytes] = []
    while len(durable) < 4:
        _, payload = await client.receive()
        if payload.startswith(b'42["durable"'):
            durable.append(payload)
    assert durable == [b'42["durable",%d]' % number for number in range(4)]
    await client.close()


async def test_order_survives_a_full_buffer(pod: Pod) -> None:
    client = await stalled(pod, receive_buffer_bytes=20_000)
    sent = 0
    while pod.sio.stats.buffered_bytes < LIMIT_BYTES // 2:
        await pod.sio.manager.emit_local("n", [sent, "y" * 9000], room="r")
        sent += 1
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    await pod.sio.manager.emit_local("n", [sent, "end"], room="r")

    numbers: list[int] = []
    while len(numbers) <= sent:
        _, payload = await client.receive()
        if payload.startswith(b'42["n",['):
            numbers.append(int(payload[8:].split(b",")[0]))
    assert numbers == list(range(sent + 1))
    await until(lambda: pod.sio.stats.slow_connections == 0, "written directly again")
    await client.close()


async def test_the_total_closes_the_largest_debtors_first() -> None:
    sio = make_server(send_buffer_bytes=10_000_000, send_buffer_total_bytes=300_000)
    async with running(sio) as pod:
        big, small = await stalled(pod), await stalled(pod)
        [big_sid, small_sid] = sio.manager.room_members("r")
        for sid in (big_sid, small_sid):
            while sio.stats.slow_connections < 1 + (sid == small_sid):
                sio.manager.send_to(sid, encode_event("fill", FRAME))
                await asyncio.sleep(0)
        while not sio.stats.closed["slow_consumer"]:
            sio.manager.send_to(big_sid, encode_event("n", FRAME))

        assert sio.manager.peer(small_sid) is not None
        await until(lambda: sio.manager.peer(big_sid) is None, "the larger debtor is closed")
        for each in (big, small):
            await each.close()


async def test_a_frame_shared_by_many_counts_once() -> None:
    sio = make_server(send_buffer_bytes=10_000_000)
    async with running(sio) as pod:
        clients = [await stalled(pod) for _ in range(5)]
        while sio.stats.slow_connections < 5:
            await sio.manager.emit_local("fill", FRAME, room="r")
            await asyncio.sleep(0)
        before = sio.stats.buffered_bytes

        await sio.manager.emit_local("n", FRAME, room="r")

        assert sio.stats.buffered_bytes - before < 2 * len(FRAME)
        for each in clients:
            await each.close()


async def test_a_polling_client_that_does_not_poll_is_bounded_too(pod: Pod) -> None:
    async with polling(pod) as (http, session):
        await http.post(session, content="40")
        await until(lambda: pod.sio.manager.room_size("r") == 1, "joined")

        frames = await emit_until(pod, "slow_consumer")

        assert frames <= LIMIT_BYTES // len(FRAME) + 2
        assert (await http.get(session)).status_code == 400


async def test_a_client_that_floods_is_read_no_faster_than_it_is_handled(pod: Pod) -> None:
    gate = asyncio.Event()
    handled: list[int] = []

    async def slow(sid: str, number: int) -> None:
        await gate.wait()
        handled.append(number)

    pod.sio.on("slow", slow)
    client = await RawWebsocket.open(pod)
    client.send(b"40")
    flood = b"".join(masked(b'42["slow",%d]' % number) for number in range(20_000))
    client.writer.write(flood)
    await until(lambda: pod.sio.stats.frames_in["websocket"] > 64, "some arrived")
    await asyncio.sleep(0.3)
    read_while_waiting = pod.sio.stats.frames_in["websocket"]
    gate.set()

    await until(lambda: len(handled) == 20_000, "all handled in the end", 20)
    # One read of a socket may bring thousands of small frames; not all twenty thousand.
    assert read_while_waiting < 15_001
    assert handled == list(range(20_000))
    await client.close()


async def test_draining_waits_until_nothing_is_buffered(pod: Pod) -> None:
    async with connected(pod) as [ana]:
        assert await pod.sio.manager.drained(ana.sid)
    client = await stalled(pod, receive_buffer_bytes=20_000)
    [sid] = pod.sio.manager.room_members("r")
    while pod.sio.stats.slow_connections == 0:
        await pod.sio.manager.emit_local("n", FRAME, room="r")
    waiting = asyncio.create_task(pod.sio.manager.drained(sid))
    await asyncio.sleep(0.05)
    assert not waiting.done()

    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    while not waiting.done():
        await client.receive()

    assert waiting.result()
    assert not await pod.sio.manager.drained("unknown")
    await client.close()
