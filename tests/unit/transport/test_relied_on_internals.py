"""What the transport relies on inside python-socketio, python-engineio and uvicorn.

They are pinned exactly. When a newer version moves one of these, the test that fails says
what was relied on and where, before anything subtle happens.
"""

import inspect
from importlib.metadata import version
from typing import Any

import engineio
import pytest
import socketio
import uvicorn
from socketio import packet as sio_packet
from socketio.async_pubsub_manager import AsyncPubSubManager
from socketio.base_manager import BaseManager
from socketio.base_server import BaseServer
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


@pytest.mark.parametrize(
    ("package", "pinned"),
    [("python-socketio", "5.18.1"), ("python-engineio", "4.15.1"), ("uvicorn", "0.54.0")],
)
def test_the_versions_are_those_that_were_read(package: str, pinned: str) -> None:
    assert version(package) == pinned, (
        f"{package} {version(package)} is installed, but the transport was written against "
        f"{pinned}: read its changes, run the suites of tests/conformance, then move this pin."
    )


@pytest.mark.parametrize(
    ("owner", "name", "parameters", "why"),
    [
        (BaseServer, "_engineio_server_class", ["self"], "AsyncServer names its engine there"),
        (
            socketio.AsyncServer,
            "_handle_connect",
            ["self", "eio_sid", "namespace", "data"],
            "AsyncServer checks the namespace and leaves the rest to it",
        ),
        (
            socketio.AsyncServer,
            "_trigger_event",
            ["self", "event", "namespace", "args"],
            "connect and disconnect handlers are called through it",
        ),
        (
            socketio.AsyncServer,
            "_send_packet",
            ["self", "eio_sid", "pkt"],
            "AsyncServer sends all packets of python-socketio through its own",
        ),
        (
            socketio.AsyncServer,
            "_send_eio_packet",
            ["self", "eio_sid", "eio_pkt"],
            "AsyncServer replaces it",
        ),
        (
            socketio.AsyncServer,
            "_handle_eio_connect",
            ["self", "eio_sid", "environ"],
            "engines tell python-socketio's handlers from the application's by their names",
        ),
        (socketio.AsyncServer, "_handle_eio_message", ["self", "eio_sid", "data"], "as above"),
        (socketio.AsyncServer, "_handle_eio_disconnect", ["self", "eio_sid", "reason"], "as above"),
        (
            BaseServer,
            "_get_event_handler",
            ["self", "event", "namespace", "args"],
            "AsyncServer finds the handlers of events with it",
        ),
        (
            BaseServer,
            "_get_namespace_handler",
            ["self", "namespace", "args"],
            "AsyncServer finds class-based namespaces with it",
        ),
        (
            BaseManager,
            "basic_disconnect",
            ["self", "sid", "namespace", "kwargs"],
            "AsyncManager replaces it by one that is linear",
        ),
        (
            BaseManager,
            "basic_enter_room",
            ["self", "sid", "namespace", "room", "eio_sid"],
            "AsyncManager replaces it",
        ),
        (
            BaseManager,
            "basic_leave_room",
            ["self", "sid", "namespace", "room"],
            "AsyncManager replaces it",
        ),
        (
            BaseManager,
            "basic_close_room",
            ["self", "room", "namespace"],
            "AsyncManager replaces it",
        ),
        (BaseManager, "pre_disconnect", ["self", "sid", "namespace"], "AsyncManager replaces it"),
        (
            BaseManager,
            "_generate_ack_id",
            ["self", "sid", "callback"],
            "AsyncManager numbers callbacks with it",
        ),
        (
            AsyncPubSubManager,
            "_publish",
            ["self", "data"],
            "AsyncRedisManager sends dictionaries to the right pod there",
        ),
        (AsyncPubSubManager, "_handle_emit", ["self", "message"], "stock messages go through it"),
        (AsyncPubSubManager, "_handle_callback", ["self", "message"], "as above"),
        (AsyncPubSubManager, "_handle_disconnect", ["self", "message"], "as above"),
        (AsyncPubSubManager, "_handle_enter_room", ["self", "message"], "as above"),
        (AsyncPubSubManager, "_handle_leave_room", ["self", "message"], "as above"),
        (AsyncPubSubManager, "_handle_close_room", ["self", "message"], "as above"),
        (
            engineio.AsyncServer,
            "_trigger_event",
            ["self", "event", "args", "kwargs"],
            "engines call the application's Engine.IO handlers with it",
        ),
        (
            engineio.base_server.BaseServer,
            "_cors_allowed_origins",
            ["self", "environ"],
            "DirectEngine checks origins with it",
        ),
        (
            engineio.base_server.BaseServer,
            "_cors_headers",
            ["self", "environ"],
            "polling answers carry its headers",
        ),
        (
            engineio.base_server.BaseServer,
            "_generate_sid_cookie",
            ["self", "sid", "attributes"],
            "polling handshakes set its cookie",
        ),
        (
            engineio.base_server.BaseServer,
            "create_queue",
            ["self", "args", "kwargs"],
            "StockEngine bounds the queues of stock sockets there",
        ),
        (engineio.base_server.BaseServer, "generate_id", ["self"], "session ids name the pod"),
        (
            HttpToolsProtocol,
            "handle_websocket_upgrade",
            ["self"],
            "it hands the request to Connection as bytes",
        ),
        (
            WebSocketsSansIOProtocol,
            "data_received",
            ["self", "data"],
            "Connection leaves other paths to it",
        ),
        (uvicorn.Server, "capture_signals", ["self"], "Server replaces it to end with status 0"),
        (uvicorn.Server, "handle_exit", ["self", "sig", "frame"], "Server replaces it"),
    ],
)
def test_a_method_that_is_relied_on_is_there(
    owner: Any, name: str, parameters: list[str], why: str
) -> None:
    method = getattr(owner, name, None)

    assert method is not None, f"{owner.__name__}.{name} is gone, but {why}."
    assert list(inspect.signature(method).parameters) == parameters, (
        f"{owner.__name__}.{name} takes other arguments now, but {why}."
    )


def test_a_redis_manager_finds_local_delivery_behind_the_stock_one() -> None:
    from pytake.transport import AsyncManager, AsyncRedisManager

    order = AsyncRedisManager.__mro__
    assert order.index(AsyncPubSubManager) < order.index(AsyncManager), (
        "AsyncPubSubManager's super().emit must reach our AsyncManager, which delivers locally."
    )


def test_a_partial_packet_is_completed_by_its_attachments() -> None:
    packet = sio_packet.Packet(encoded_packet='51-["e",{"_placeholder":true,"num":0}]')

    assert packet.attachment_count == 1, "Dispatcher counts the attachments of a packet by it."
    assert packet.add_attachment(b"x") is True, "Dispatcher asks it whether the packet is whole."
    assert packet.data == ["e", b"x"]


def test_uvicorn_hands_the_upgrade_over_in_three_calls() -> None:
    source = inspect.getsource(HttpToolsProtocol.handle_websocket_upgrade)

    calls = ["connection_made(self.transport)", "data_received(", "set_protocol(protocol)"]
    positions = [source.index(call) for call in calls]
    assert positions == sorted(positions), (
        "Connection takes the whole request in one data_received, before it is the protocol."
    )
    assert "server_state=self.server_state" in source, "Connection registers for the shutdown."


def test_a_stock_socket_takes_its_queue_from_the_engine() -> None:
    source = inspect.getsource(engineio.base_socket.BaseSocket.__init__)
    assert "self.server.create_queue()" in source, "StockEngine bounds the queue there."
    poll = inspect.getsource(engineio.async_socket.AsyncSocket.poll)
    for call in ("self.queue.get()", "self.queue.get_nowait()"):
        assert call in poll, "BoundedQueue ends a poll after 16 packets by these calls."
