"""Socket.IO protocol 5, as its specification says it, on direct sockets and on stock ones."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pytake.transport import AsyncServer
from running_transport import Pod, running


@pytest.fixture(params=["direct", "stock"])
async def pod(request: pytest.FixtureRequest) -> AsyncIterator[Pod]:
    sio = AsyncServer(
        direct=request.param == "direct",
        ping_interval=0.3,
        ping_timeout=0.2,
        connect_timeout=0.4,
        cors_allowed_origins="*",
        always_connect=True,
        namespaces=["/", "/custom"],
    )
    for namespace in ("/", "/custom"):
        register(sio, namespace)
    async with running(sio) as pod:
        yield pod


def register(sio: AsyncServer, namespace: str) -> None:
    @sio.on("connect", namespace=namespace)
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        await sio.emit("auth", auth or {}, to=sid, namespace=namespace)

    @sio.on("message", namespace=namespace)
    async def message(sid: str, *arguments: Any) -> None:
        await sio.emit("message-back", arguments, to=sid, namespace=namespace)

    @sio.on("message-with-ack", namespace=namespace)
    async def message_with_ack(sid: str, *arguments: Any) -> tuple[Any, ...]:
        return arguments


class Conversation:
    """A websocket that answers pings by itself."""

    def __init__(self, websocket: Any) -> None:
        self.websocket = websocket

    async def send(self, *packets: str | bytes) -> None:
        for packet in packets:
            await self.websocket.send(packet)

    async def receive(self) -> Any:
        while (packet := await asyncio.wait_for(self.websocket.recv(), 2)) == "2":
            await self.websocket.send("3")
        return packet

    async def closed(self, within_seconds: float = 0.25) -> None:
        """Fail unless the server closes, sooner than a missed ping would make it."""
        await asyncio.wait_for(self.websocket.wait_closed(), within_seconds)


@pytest.fixture
async def opened(pod: Pod) -> AsyncIterator[Conversation]:
    """Below Socket.IO: only the handshake of Engine.IO is done."""
    async with pod.websocket() as websocket:
        await websocket.recv()
        yield Conversation(websocket)


@pytest.fixture
async def connected(opened: Conversation) -> Conversation:
    await opened.send("40")
    assert (await opened.receive()).startswith("40{")
    assert await opened.receive() == '42["auth",{}]'
    return opened


# --- Connecting --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packet", "prefix", "auth"),
    [
        ("40", "40", '42["auth",{}]'),
        ('40{"token":"123"}', "40", '42["auth",{"token":"123"}]'),
        ("40/custom,", "40/custom,", '42/custom,["auth",{}]'),
        ('40/custom,{"token":"abc"}', "40/custom,", '42/custom,["auth",{"token":"abc"}]'),
    ],
)
async def test_a_namespace_is_connected(
    opened: Conversation, packet: str, prefix: str, auth: str
) -> None:
    await opened.send(packet)

    answer = await opened.receive()
    assert answer.startswith(prefix)
    assert list(json.loads(answer.removeprefix(prefix))) == ["sid"]
    assert await opened.receive() == auth


async def test_an_unknown_namespace_is_refused(opened: Conversation) -> None:
    await opened.send("40/random")

    assert await opened.receive() == '44/random,{"message":"Invalid namespace"}'


async def test_a_client_that_does_not_connect_is_closed(opened: Conversation) -> None:
    async def answer_pings() -> None:
        while True:
            await opened.receive()

    with pytest.raises(Exception, match=r"received 1\d\d\d|no close frame"):
        await asyncio.wait_for(answer_pings(), 8)


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param("4abc", id="unknown type"),
        pytest.param("4", id="empty"),
        pytest.param("47", id="type beyond the last"),
        pytest.param("40[]", id="authentication that is a list"),
        pytest.param('40"text"', id="authentication that is a text"),
        pytest.param('44{"message":"x"}', id="an error from a client"),
        pytest.param('42["', id="broken JSON"),
        pytest.param("42[NaN]", id="NaN"),
        pytest.param('452-["x",{"_placeholder":true,"num":0}]', id="binary before connecting"),
        pytest.param(b"\x01", id="an attachment of nothing"),
    ],
)
async def test_a_malformed_packet_closes(opened: Conversation, packet: str | bytes) -> None:
    await opened.send(packet)

    await opened.closed()


# --- Disconnecting -----------------------------------------------------------------------


async def test_leaving_the_main_namespace_leaves_the_connection_open(
    connected: Conversation,
) -> None:
    await connected.send("41")

    assert await asyncio.wait_for(connected.websocket.recv(), 2) == "2"


async def test_leaving_one_namespace_leaves_the_other(connected: Conversation) -> None:
    await connected.send("40/custom")
    assert (await connected.receive()).startswith("40/custom,")
    assert await connected.receive() == '42/custom,["auth",{}]'

    await connected.send("41/custom", '42["message","to the main one"]')

    assert await connected.receive() == '42["message-back","to the main one"]'


# --- Events ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        pytest.param(
            ['42["message",1,"2",{"3":[true]}]'],
            ['42["message-back",1,"2",{"3":[true]}]'],
            id="plain",
        ),
        pytest.param(
            ['42456["message-with-ack",1,"2",{"3":[false]}]'],
            ['43456[1,"2",{"3":[false]}]'],
            id="acknowledged",
        ),
        pytest.param(
            [
                '452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
                b"\x01\x02\x03",
                b"\x04",
            ],
            [
                '452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
                b"\x01\x02\x03",
                b"\x04",
            ],
            id="binary",
        ),
        pytest.param(
            ['451-789["message-with-ack",{"_placeholder":true,"num":0}]', b"\x01"],
            ['461-789[{"_placeholder":true,"num":0}]', b"\x01"],
            id="binary, acknowledged",
        ),
        pytest.param(
            ['42["message","\\ud83d"]'], ['42["message-back","\\ud83d"]'], id="half an emoji"
        ),
    ],
)
async def test_events_come_and_go(
    connected: Conversation, sent: list[str | bytes], received: list[str | bytes]
) -> None:
    await connected.send(*sent)

    assert [await connected.receive() for _ in received] == received


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param(["4abc"], id="unknown type"),
        pytest.param(["42{}"], id="an event that is an object"),
        pytest.param(["42[]"], id="an event without a name"),
        pytest.param(["42[1]"], id="a name that is a number"),
        pytest.param(['42["connect"]'], id="a reserved name"),
        pytest.param(['42["disconnect","x"]'], id="another reserved name"),
        pytest.param(['42abc["message-with-ack",1]'], id="an id that is no number"),
        pytest.param(["431{}"], id="an acknowledgement that is an object"),
        pytest.param(["43[]"], id="an acknowledgement without an id"),
        pytest.param(
            ['451-["message",{"_placeholder":true,"num":5}]', b"x"], id="a placeholder of nothing"
        ),
        pytest.param(
            ['451-["message",{"_placeholder":true,"num":0}]', '42["message",1]'],
            id="text instead of an attachment",
        ),
        pytest.param(['45999999999-["message"]'], id="a million attachments"),
        pytest.param(["42" + "[" * 5000], id="JSON that is nested too deeply"),
    ],
)
async def test_a_malformed_event_closes(
    connected: Conversation, packets: list[str | bytes]
) -> None:
    await connected.send(*packets)

    await connected.closed()
