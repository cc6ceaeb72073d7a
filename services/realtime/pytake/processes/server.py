"""Runs the listeners of one process in one event loop, from `listening` to exit 0.

Every process has a public and an inner listener, which are uvicorn servers on sockets
that are bound here first: a port that is taken is found before anything else starts,
and port 0 can be reported as what the system chose.

The first SIGTERM or SIGINT runs the drain callback, then ends the listeners and the
background work, in this order. A second one ends the process at once, by the system's
own handler, so that it works although the loop may hang.
"""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import structlog
import uvicorn

from pytake.processes.patient_http import PatientHttpProtocol

log = structlog.get_logger()

GRACE_SECONDS = 5
"""How long answers that are under way may take once the listeners close."""

BACKLOG = 2048

Work = Callable[[], Awaitable[None]]

_OPTIONS: Mapping[str, Any] = {
    # Processes say what they do by themselves, and never with addresses or query strings.
    "log_config": None,
    "access_log": False,
    "lifespan": "off",
    "server_header": False,
    "proxy_headers": False,
    "ws": "none",
    "http": PatientHttpProtocol,
    "timeout_graceful_shutdown": GRACE_SECONDS,
    # Longer than the idle time of NGINX's upstream connections (60 s): the proxy closes first.
    "timeout_keep_alive": 75,
    # Bounded: a request line or a header that never ends is refused.
    "h11_max_incomplete_event_size": 65_536,
}


class CannotListen(Exception):
    """An address is taken or not ours; the text names it."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An ASGI application on one address; `options` are passed on to uvicorn."""

    app: Any
    host: str
    port: int
    options: Mapping[str, Any] = field(default_factory=dict)


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the process and says when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.takes_connections = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.takes_connections.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        CannotListen: The address is taken, or not of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}") from error
    # asyncio's own loop leaves Nagle's algorithm on for a socket made elsewhere: an answer in two
    # writes then waits 40 ms for the peer's delayed acknowledgement. Accepted sockets inherit it.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    bound.setblocking(False)
    return bound


def address_of(bound: socket.socket) -> str:
    """Return `host:port` with the actual port."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def serve(
    component: str,
    public: Listener,
    inner: Listener | None = None,
    *,
    drain: Work | None = None,
    background: Sequence[Work] = (),
    on_listening: Callable[[str, str | None], None] | None = None,
) -> None:
    """Serve until a signal, then drain and return.

    Args:
        component: The name of the process in the `listening` line.
        public: Where clients come in.
        inner: Probes and metrics; None where the public one serves them (`pytake dev`).
        drain: Called once at the first signal, before the listeners close; bounds itself.
        background: Work that lasts as long as the process. It is cancelled after the
            listeners have closed; a piece that fails ends the process with its error.
        on_listening: Told the public and the inner address once connections are taken.

    Raises:
        CannotListen: Nothing was started.
    """
    listeners = [public] if inner is None else [public, inner]
    sockets: list[socket.socket] = []
    try:
        sockets.extend(bind(each.host, each.port) for each in listeners)
    except CannotListen:
        for bound in sockets:
            bound.close()
        raise
    servers = [_server_of(each) for each in listeners]
    addresses = [address_of(bound) for bound in sockets]
    with _first_signal() as stopping:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_forever(work)) for work in background]
            serving = [
                group.create_task(server.serve(sockets=[bound]))
                for server, bound in zip(servers, sockets, strict=True)
            ]
            for server in servers:
                await server.takes_connections.wait()
            inner_address = addresses[1] if inner is not None else None
            log.info(
                "listening",
                component=component,
                address=f"http://{addresses[0]}",
                inner_address=f"http://{inner_address or addresses[0]}",
            )
            if on_listening is not None:
                on_listening(addresses[0], inner_address)
            await stopping.wait()
            log.info("stopping", component=component)
            if drain is not None:
                await drain()
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*serving)
            for task in tasks:
                task.cancel()
    log.info("stopped", component=component)


def _server_of(listener: Listener) -> _Server:
    return _Server(uvicorn.Config(listener.app, **{**_OPTIONS, **listener.options}))


async def _forever(work: Work) -> None:
    await work()


@contextmanager
def _first_signal() -> Iterator[asyncio.Event]:
    """Give an event that the first signal sets; further signals have their default effect."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def first(signal_number: int, _frame: FrameType | None = None) -> None:
        for each in signals:
            with suppress(ValueError):
                signal.signal(each, signal.SIG_DFL)
        loop.call_soon_threadsafe(stopping.set)

    # signal.signal rather than loop.add_signal_handler: taking the latter back inside its own
    # callback leaves Python's default for SIGINT, which raises in the middle of the drain.
    before = {each: signal.signal(each, first) for each in signals}
    try:
        yield stopping
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
