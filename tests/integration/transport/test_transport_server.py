"""What a Socket.IO application may rely on, on direct sockets and on stock ones."""

import asyncio
from functools import partial
from typing import Any

import aiohttp
import pytest
import socketio

from pytake.transport import AsyncServer, encode_event
from running_transport import Client, Pod, connected, running, until

TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]
NAMES = ["websocket", "polling", "upgrade"]


@pytest.fixture(params=[True, False], ids=["direct", "stock"])
def direct(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def make_server(direct: bool, **options: Any) -> AsyncServer:
    options.setdefault("namespaces", ["/", "/other"])
    if not direct:
        # A stock socket leaves the last poll of a client open until the next ping.
        options.setdefault("ping_interval", 0.5)
        options.setdefault("ping_timeout", 1.0)
    sio = AsyncServer(direct=direct, cors_allowed_origins="*", **options)

    @sio.on("connect")
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        if auth and auth.get("token") == "bad":
            raise socketio.exceptions.ConnectionRefusedError("no", {"code": "invalid_token"})

    @sio.on("join")
    async def join(sid: str, room: str) -> str:
        await sio.enter_room(sid, room)
        return room

    @sio.on("echo")
    async def echo(sid: str, *args: Any) -> tuple[Any, ...]:
        return args

    return sio


@pytest.mark.parametrize("transports", TRANSPORTS, ids=NAMES)
async def test_an_event_is_acknowledged(direct: bool, transports: list[str]) -> None:
    async with running(make_server(direct)) as pod, connected(pod, transports=transports) as [ana]:
        assert await ana.sio.call("echo", {"text": "olá"}, timeout=5) == {"text": "olá"}
        assert await ana.sio.call("echo", (1, "two"), timeout=5) == (1, "two")
        assert await ana.sio.call("echo", b"\x00\xff", timeout=5) == b"\x00\xff"


@pytest.mark.parametrize("transports", TRANSPORTS, ids=NAMES)
async def test_a_room_receives_each_event_once_and_in_order(
    direct: bool, transports: list[str]
) -> None:
    sio = make_server(direct)
    async with running(sio) as pod, connected(pod, 3, transports=transports) as clients:
        for client in clients:
            await client.sio.call("join", "r", timeout=5)

        for number in range(200):
            await sio.emit("n", {"n": number}, room="r")

        for client in clients:
            await until(partial(client.has, "n", 200), "200 events")
            assert [each["n"] for each in client.of("n")] == list(range(200))


async def test_an_event_reaches_only_those_it_is_for(direct: bool) -> None:
    sio = make_server(direct)
    async with running(sio) as pod, connected(pod, 3) as [ana, rui, eva]:
        for client in (ana, rui):
            await client.sio.call("join", "r", timeout=5)

        await sio.emit("to-room", 1, room="r", skip_sid=ana.sid)
        await sio.emit("to-one", 2, to=eva.sid)
        await sio.emit("to-all", 3)
        await sio.emit("to-both", 4, to=["r", eva.sid])

        for client in (ana, rui, eva):
            await until(partial(client.has, "to-both"), "the last event")
        assert [each[0] for each in ana.received] == ["to-all", "to-both"]
        assert [each[0] for each in rui.received] == ["to-room", "to-all", "to-both"]
        assert [each[0] for each in eva.received] == ["to-one", "to-all", "to-both"]


async def test_local_delivery_says_how_many_it_reached(direct: bool) -> None:
    sio = make_server(direct)
    async with running(sio) as pod, connected(pod, 3) as [ana, rui, eva]:
        for client in (ana, rui):
            await client.sio.call("join", "r", timeout=5)
        packet = encode_event("message:new", {"seq": 1})

        assert await sio.manager.emit_local(packet, room="r") == 2
        assert await sio.manager.emit_local("x", {}, room="r", skip_sid=rui.sid) == 1
        assert await sio.manager.emit_local(packet, room=[ana.sid, eva.sid]) == 2
        assert await sio.manager.emit_local(packet, room="nobody") == 0
        assert sio.manager.send_to(eva.sid, packet)
        assert not sio.manager.send_to("unknown", packet)
        assert sio.manager.room_size("r") == 2
        assert set(sio.manager.room_members("r")) == {ana.sid, rui.sid}

        await until(lambda: len(eva.of("message:new")) == 2, "two frames to eva")
        assert eva.of("message:new") == [{"seq": 1}] * 2


async def test_the_server_may_ask_for_an_acknowledgement(direct: bool) -> None:
    sio = make_server(direct)
    async with running(sio) as pod, connected(pod) as [ana]:
        ana.sio.on("question", lambda *args: ("answer", *args))

        assert await sio.call("question", 5, to=ana.sid, timeout=5) == ("answer", 5)


async def test_a_handler_may_wait_for_an_acknowledgement_of_its_own_client(direct: bool) -> None:
    sio = make_server(direct)

    @sio.on("ask-me")
    async def ask_me(sid: str) -> Any:
        return await sio.call("question", 1, to=sid, timeout=5)

    async with running(sio) as pod, connected(pod) as [ana]:
        ana.sio.on("question", lambda n: n + 1)

        assert await ana.sio.call("ask-me", timeout=5) == 2


async def test_events_of_one_connection_are_handled_in_order(direct: bool) -> None:
    sio = make_server(direct)
    handled: list[int] = []

    @sio.on("slow-first")
    async def slow_first(sid: str, number: int) -> None:
        await asyncio.sleep(0.05 if number == 0 else 0)
        handled.append(number)

    async with running(sio) as pod, connected(pod) as [ana]:
        for number in range(20):
            await ana.sio.emit("slow-first", number)

        await until(lambda: len(handled) == 20, "20 events handled")
        assert handled == list(range(20))


async def test_other_namespaces_have_their_own_rooms(direct: bool) -> None:
    sio = make_server(direct)
    async with running(sio) as pod, connected(pod, namespaces=["/", "/other"]) as [ana]:
        sid = ana.sio.get_sid("/other")
        await sio.enter_room(sid, "r", namespace="/other")

        await sio.emit("wrong", 1, room="r")
        await sio.emit("right", {"b": b"\x01"}, room="r", namespace="/other")

        await until(lambda: ana.received, "an event")
        assert ana.received == [("right", {"b": b"\x01"})]
        assert sio.rooms(sid, "/other") == [sid, "r"]


async def test_a_refused_connection_says_why(direct: bool) -> None:
    async with running(make_server(direct)) as pod:
        client = Client()
        refusals: list[Any] = []
        client.sio.on("connect_error", refusals.append)

        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(pod, auth={"token": "bad"})

        assert refusals == [{"message": "no", "data": {"code": "invalid_token"}}]
        await client.sio.disconnect()


async def test_leaving_and_disconnecting_empty_the_rooms(direct: bool) -> None:
    sio = make_server(direct)
    reasons: list[tuple[str, str]] = []
    sio.on("disconnect", lambda sid, reason: reasons.append((sid, reason)))
    async with running(sio) as pod:
        async with connected(pod, 2) as [ana, rui]:
            for client in (ana, rui):
                await client.sio.call("join", "r", timeout=5)
            gone = [ana.sid, rui.sid]
            await sio.leave_room(ana.sid, "r")
            assert sio.manager.room_members("r") == [rui.sid]

        await until(lambda: len(reasons) == 2, "both disconnects")
        assert {sid for sid, _ in reasons} == set(gone)
        await until(lambda: not sio.eio.sockets, "no sockets left")
        assert sio.manager.rooms == {}
        assert sio.stats.connections == 0


async def test_the_server_disconnects_after_its_last_event(direct: bool) -> None:
    sio = make_server(direct)
    async with running(sio) as pod, connected(pod) as [ana]:
        lost = asyncio.Event()
        ana.sio.on("disconnect", lambda *_: lost.set())

        await sio.emit("error", {"code": "superseded"}, to=ana.sid)
        await sio.disconnect(ana.sid)

        await asyncio.wait_for(lost.wait(), 5)
        assert ana.of("error") == [{"code": "superseded"}]


@pytest.mark.parametrize("transports", TRANSPORTS[:2], ids=NAMES[:2])
async def test_a_closed_transport_brings_the_client_back(
    direct: bool, transports: list[str]
) -> None:
    if not direct and transports == ["polling"]:
        # Stock polling sockets end with a CLOSE packet, after which Python clients stay away.
        return
    sio = make_server(direct)
    reasons: list[str] = []
    sio.on("disconnect", lambda sid, reason: reasons.append(reason))
    # The client forgets the HTTP session of a lost polling connection: it gets one of ours.
    async with running(sio) as pod, aiohttp.ClientSession() as http:
        client = Client(
            reconnection=True,
            reconnection_delay=0.01,
            reconnection_delay_max=0.02,
            http_session=http,
        )
        await client.connect(pod, transports=transports)
        first = client.sid

        await sio.emit("last", 1, to=first)
        assert await sio.close_transport(first, "draining")

        await until(
            lambda: client.sio.connected and client.sio.sid and client.sid not in (None, first),
            "reconnected",
        )
        assert client.of("last") == [1]
        assert reasons == ["draining"]
        await client.sio.disconnect()


async def test_a_session_is_kept_for_each_client(direct: bool) -> None:
    sio = make_server(direct)
    async with running(sio) as pod, connected(pod, 2) as [ana, rui]:
        await sio.save_session(ana.sid, {"user": "ana"})
        async with sio.session(rui.sid) as session:
            session["user"] = "rui"

        assert await sio.get_session(ana.sid) == {"user": "ana"}
        assert await sio.get_session(rui.sid) == {"user": "rui"}


async def test_a_disconnect_handler_may_ask_for_session_and_environ(direct: bool) -> None:
    sio = make_server(direct)
    last: list[Any] = []

    @sio.on("disconnect")
    async def disconnect(sid: str, reason: str) -> None:
        await asyncio.sleep(0.01)
        last.append((await sio.get_session(sid), sio.get_environ(sid)["PATH_INFO"], sio.rooms(sid)))

    async with running(sio) as pod:
        async with connected(pod) as [ana]:
            sid = ana.sid
            await sio.save_session(sid, {"user": "ana"})
            await sio.enter_room(sid, "r")

        await until(lambda: last, "the handler ran")
        assert last == [({"user": "ana"}, "/socket.io/", [sid, "r"])]
        await until(lambda: sid not in sio.environ, "and then it is forgotten")


async def test_the_environ_tells_about_the_request(direct: bool) -> None:
    sio = make_server(direct)
    async with running(sio) as pod, connected(pod, headers={"X-Real-Ip": "10.1.2.3"}) as [ana]:
        environ = sio.get_environ(ana.sid)

        assert environ["HTTP_X_REAL_IP"] == "10.1.2.3"
        assert environ["REQUEST_METHOD"] == "GET"
        assert environ["PATH_INFO"] == "/socket.io/"
        assert "transport=websocket" in environ["QUERY_STRING"]
        assert environ["asgi.scope"]["client"][0] == "127.0.0.1"


async def test_an_engine_io_application_may_use_the_server_below(direct: bool) -> None:
    sio = make_server(direct, connect_timeout=0)

    async def answer(sid: str, data: Any) -> None:
        await sio.eio.send(sid, data)

    sio.eio.on("message", answer)
    async with running(sio) as pod, pod.websocket() as client:
        assert str(await client.recv()).startswith("0{")
        await client.send("4hello")
        assert await client.recv() == "4hello"


async def test_a_client_without_a_namespace_is_closed(direct: bool) -> None:
    sio = make_server(direct, connect_timeout=0.2)
    async with running(sio) as pod, pod.websocket() as client:
        await asyncio.wait_for(client.wait_closed(), 8)

        await until(lambda: sio.stats.closed["connect timeout"] == 1, "counted by reason")


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_refused_handshake_answers_503_on_both_transports(
    direct: bool, transport: str
) -> None:
    def refuse(scope: dict[str, Any]) -> Any:
        return 503, [(b"retry-after", b"3")], b"draining"

    sio = make_server(direct, admission=refuse)
    async with running(sio) as pod:
        response = await first_response(pod, transport)

        assert response.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 3" in response
        assert sio.stats.refused_handshakes == 1
        assert sio.stats.connections == 0


async def test_a_known_session_is_served_while_new_ones_are_refused(direct: bool) -> None:
    draining = False

    def refuse(scope: dict[str, Any]) -> Any:
        return (503, [], b"draining") if draining else None

    sio = make_server(direct, admission=refuse)
    async with running(sio) as pod, connected(pod, transports=["polling"]) as [ana]:
        draining = True

        assert await ana.sio.call("echo", 1, timeout=5) == 1
        late = Client()
        with pytest.raises(socketio.exceptions.ConnectionError):
            await late.connect(pod)
        await late.sio.disconnect()


async def first_response(pod: Pod, transport: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", pod.port)
    upgrade = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    writer.write(
        f"GET {pod.path}?EIO=4&transport={transport} HTTP/1.1\r\nHost: x\r\n"
        f"{upgrade if transport == 'websocket' else ''}\r\n".encode()
    )
    response = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
    return response
