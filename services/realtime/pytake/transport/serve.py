"""Running a server: uvicorn configured for it, and signals that end it cleanly."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import socketio
import uvicorn

from pytake.transport.connection import Connection
from pytake.transport.server import AsyncServer

SHUTDOWN_SECONDS = 5


def uvicorn_config(
    sio: AsyncServer,
    other_asgi_app: Any = None,
    *,
    host: str = "127.0.0.1",
    port: int = 3000,
    socketio_path: str = "socket.io",
    **options: Any,
) -> uvicorn.Config:
    """Return a uvicorn configuration that serves `sio`, for a process that runs its own
    `uvicorn.Server`.

    Args:
        sio: The server. Its websockets bypass ASGI; polling does not.
        other_asgi_app: Receives everything outside `socketio_path`, websockets too, and
            the lifespan events.
        host: Where to listen.
        port: 0 lets the system choose.
        socketio_path: Where clients connect.
        options: Further arguments of `uvicorn.Config`.
    """
    path = "/" + socketio_path.strip("/")
    sio.eio.path = path
    settings: dict[str, Any] = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": _protocol_factory(sio) if sio.direct else "websockets-sansio",
        # Engine.IO has its own heartbeat; two would double the traffic of idle clients.
        "ws_ping_interval": None,
        "ws_per_message_deflate": sio.compression and not sio.direct,
        "ws_max_size": sio.eio.max_http_buffer_size,
        "timeout_graceful_shutdown": SHUTDOWN_SECONDS,
        "backlog": 4096,
        "access_log": False,
        "log_config": None,
        "server_header": False,
    }
    app = socketio.ASGIApp(sio, other_asgi_app, socketio_path=path)
    return uvicorn.Config(app, host=host, port=port, **(settings | options))


def _protocol_factory(sio: AsyncServer) -> Any:
    def connection(**uvicorn_arguments: Any) -> Connection:
        return Connection(sio.eio, uvicorn_arguments)

    return connection


class Server(uvicorn.Server):
    """A uvicorn server that ends with status 0 when it is told to.

    uvicorn raises the signal again after its shutdown, so the process would end with
    143. The first signal closes all clients and ends; a second one ends at once.
    """

    def __init__(self, config: uvicorn.Config, sio: AsyncServer) -> None:
        super().__init__(config)
        self._sio = sio

    async def shutdown(self, sockets: Any = None) -> None:
        self._sio.close_all("server shutdown")
        await super().shutdown(sockets)
        await self._sio.shutdown()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        caught = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in caught}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(
    sio: AsyncServer,
    other_asgi_app: Any = None,
    *,
    host: str = "127.0.0.1",
    port: int = 3000,
    socketio_path: str = "socket.io",
    **options: Any,
) -> None:
    """Serve until SIGTERM or SIGINT, then close all clients and return.

    Takes what `uvicorn_config` takes.
    """
    config = uvicorn_config(
        sio, other_asgi_app, host=host, port=port, socketio_path=socketio_path, **options
    )
    Server(config, sio).run()
