"""Builds a pod of the gateway from its parts, starts it, drains it and stops it.

`build` takes plain values and ports, so that `pytake gateway`, `pytake dev` and the tests
put together the same thing. The result is an ASGI application around another one.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog

from pytake.application.access_ports import RightsView, TokenVerifier
from pytake.application.connection_ports import (
    ConnectionPlaces,
    EventRates,
    PodSignals,
    ViewerBoard,
)
from pytake.application.ports import (
    EventFeed,
    EventLog,
    RightsChange,
    UserDirectory,
)
from pytake.application.show_customer import ShowTyping, show_nothing
from pytake.contract.client_events import MessageReceipt
from pytake.contract.media_links import Link
from pytake.domain.errors import ErrorCode, PytakeError
from pytake.domain.ids import UserId
from pytake.gateway.admission import Admission, Refused
from pytake.gateway.audience import Audience
from pytake.gateway.batching import Questions
from pytake.gateway.body_limit import limit_bodies
from pytake.gateway.cluster_rooms import ClusterRooms
from pytake.gateway.connection import Connection
from pytake.gateway.conversations import Conversations
from pytake.gateway.drain import Drain
from pytake.gateway.emitter import Emitter
from pytake.gateway.figures import seen_from_inside, show_pod
from pytake.gateway.guard import Guard
from pytake.gateway.handlers import Handlers, MarkRead
from pytake.gateway.handshake import Handshake
from pytake.gateway.heads import HeadComparison
from pytake.gateway.lifetime import Lifetime
from pytake.gateway.observe import Deliveries
from pytake.gateway.registry import Registry
from pytake.gateway.resync import Resync
from pytake.gateway.rooms import Room, Rooms
from pytake.gateway.server import Acknowledge, GatewayServer
from pytake.gateway.session import Sessions
from pytake.gateway.tasks import Tasks
from pytake.gateway.typing_notices import TypingNotices
from pytake.gateway.upkeep import Upkeep
from pytake.gateway.viewers import Viewers
from pytake.observability.metrics import Metrics
from pytake.observability.tracing import Tracing
from pytake.transport import AsyncManager, uvicorn_config

log = structlog.get_logger()


def new_pod_id() -> str:
    """Return a name for a pod; every id of its connections begins with it."""
    return secrets.token_hex(POD_ID_LENGTH // 2)


POD_ID_LENGTH = 8

MAX_HANDSHAKE_BYTES = 32_768
"""Of a message before the handshake: twice the longest token."""


@dataclass(frozen=True, slots=True)
class Options:
    """Plain values of the settings that a pod needs."""

    ping_interval: float = 25
    ping_timeout: float = 20
    max_event_bytes: int = 65_536
    send_buffer_bytes: int = 262_144
    send_buffer_total_bytes: int = 134_217_728
    max_connections: int = 10_000
    max_connection_age: float = 0
    handshake_rate: float = 1000
    drain_seconds: float = 25
    status_coalesce_ms: int = 100
    cors_allowed_origins: tuple[str, ...] = ()
    socketio_path: str = "socket.io"
    path: Literal["local", "remote"] = "remote"
    direct: bool = True


def _peer(scope: Mapping[str, Any]) -> str:
    return str((scope.get("client") or ("",))[0])


@dataclass(frozen=True, slots=True)
class Ports:
    """What a pod needs of the world.

    `address_of` tells from the scope of a handshake whose failures are counted together,
    `rights_refresh` reads the newest changes of rights at once, `renew_feed` makes the
    feed's connection anew, `show_typing` lets a customer see that an agent types; `manager`
    is the Socket.IO client manager of the process; `link` signs addresses of files.
    """

    verify: TokenVerifier
    event_log: EventLog
    users: UserDirectory
    rights: RightsView
    rights_refresh: Callable[[], Awaitable[None]]
    mark_read: MarkRead
    feed: EventFeed
    places: ConnectionPlaces
    rates: EventRates
    signals: PodSignals
    viewers: ViewerBoard
    show_typing: ShowTyping = show_nothing
    renew_feed: Callable[[str], None] = lambda reason: None
    link: Link | None = None
    address_of: Callable[[Mapping[str, Any]], str] = _peer
    manager: Any = field(default_factory=AsyncManager)
    metrics: Metrics = field(default_factory=lambda: Metrics("gateway"))
    tracing: Tracing = field(default_factory=Tracing)


class Gateway:
    """One pod. `start` before it serves, `drain` when it shall end, `stop` at last."""

    registry: Registry

    def __init__(self, options: Options, ports: Ports, pod_id: str | None = None) -> None:
        self.pod_id = pod_id or new_pod_id()
        self.options = options
        self.metrics = ports.metrics
        self.tasks = Tasks(lambda error: ports.metrics.unhandled_errors.inc("task"))
        self._ports = ports
        self._build_sockets(options, ports)
        self._build_conversations(options, ports)
        self._build_sessions(options, ports)
        self._build_lifecycle(options, ports)
        show_pod(self, ports.metrics)

    def _build_sockets(self, options: Options, ports: Ports) -> None:
        self.admission = Admission(options.handshake_rate, options.max_connections)
        self.server = GatewayServer(
            self,
            direct=options.direct,
            pod_id=self.pod_id,
            client_manager=ports.manager,
            ping_interval=options.ping_interval,
            ping_timeout=options.ping_timeout,
            max_event_bytes=options.max_event_bytes,
            max_http_buffer_size=16 * options.max_event_bytes,
            max_unconnected_bytes=MAX_HANDSHAKE_BYTES,
            send_buffer_bytes=options.send_buffer_bytes,
            send_buffer_total_bytes=options.send_buffer_total_bytes,
            # None, not an empty list: that would let every origin in.
            cors_allowed_origins=list(options.cors_allowed_origins) or None,
            admission=self._admit,
            on_slow_consumer=lambda sid: self.registry.is_slow(sid),
        )
        self.server.stats.on_refused = ports.metrics.connections_rejected.inc
        self.emitter = Emitter(self.server)
        self.cluster_rooms = ClusterRooms(self.server, self.emitter, self.tasks)
        self.registry = Registry(self.emitter, self.tasks)

    def _admit(self, scope: Any) -> Refused | None:
        """Refuse a handshake that the pod has no room for; strangers take room, too."""
        refused = self.admission.refuse(self.server.stats.connections)
        if refused is not None:
            code = refused[2].decode()
            self.metrics.connections_rejected.inc(code)
            if code == ErrorCode.OVERLOADED:
                self.metrics.rate_limited.inc("handshake")
        return refused

    def _build_conversations(self, options: Options, ports: Ports) -> None:
        self.deliveries = Deliveries(ports.metrics, ports.tracing, options.path)
        questions = Questions(ports.event_log, self.tasks)
        self.rooms = Rooms(ports.feed, ports.event_log, questions, self.tasks, ports.rights_refresh)
        self.rooms.on_interruption = self._on_interruption
        self.heads = HeadComparison(
            self.rooms,
            ports.feed,
            ports.event_log,
            on_lossy=lambda: ports.renew_feed("events are lost again and again"),
            on_new_epoch=self._on_new_epoch,
        )
        self.typing = TypingNotices(self.cluster_rooms, self.tasks, ports.show_typing)
        self.viewers = Viewers(self.emitter, ports.viewers, self.tasks)
        self.audience = Audience(
            self.emitter,
            coalesce_seconds=options.status_coalesce_ms / 1000,
            on_shown_out=self._on_shown_out,
            on_message=self.typing.on_message,
            deliveries=self.deliveries,
            on_failure=self.tasks.failed,
            link=ports.link,
        )
        self.rooms.audience = self.audience
        self.conversations = Conversations(
            self.rooms, self.audience, questions, self.tasks, ports.metrics
        )

    def _build_sessions(self, options: Options, ports: Ports) -> None:
        handshake = Handshake(ports.verify, ports.users, ports.places, self.admission)
        self.lifetime = Lifetime(
            registry=self.registry,
            audience=self.audience,
            rights=ports.rights,
            rooms=self.rooms,
            tasks=self.tasks,
            authenticate=handshake.authenticate,
            move_rooms=self._move_rooms,
            max_age_seconds=options.max_connection_age,
        )
        self.sessions = Sessions(
            pod_id=self.pod_id,
            handshake=handshake,
            guard=Guard(ports.rates),
            registry=self.registry,
            conversations=self.conversations,
            audience=self.audience,
            typing=self.typing,
            viewers=self.viewers,
            lifetime=self.lifetime,
            places=ports.places,
            rates=ports.rates,
            signals=ports.signals,
            metrics=ports.metrics,
            tasks=self.tasks,
            address_of=ports.address_of,
            enter_rooms=self._enter_rooms,
            outlet=self.emitter.outlet,
        )
        self.sessions.handlers = Handlers(
            conversations=self.conversations,
            audience=self.audience,
            typing=self.typing,
            viewers=self.viewers,
            mark_read=ports.mark_read,
            refresh=self.lifetime.refresh,
            refuse=self.sessions.refuse,
            on_receipt=self._on_receipt,
            on_joined=self.sessions.on_joined,
        )

    def _build_lifecycle(self, options: Options, ports: Ports) -> None:
        self.drain_plan = Drain(
            self.registry,
            self.audience,
            self.admission,
            self.lifetime,
            self.typing,
            options.drain_seconds,
        )
        self.resync = Resync(self.registry, self.audience, self.tasks)
        if hasattr(ports.manager, "on_gap"):
            ports.manager.on_gap = self.resync.soon
        self.upkeep = Upkeep(
            self.registry, self.audience, self.rooms, ports.places, self.sessions, self.metrics
        )

    # --- life -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to work; from now on connections may be served.

        Raises:
            Unavailable: The store cannot be asked.
        """
        await self.rooms.start()
        self.tasks.keep(self.heads.run, "compare heads")
        self.viewers.start()
        self.server.manager_initialized = True
        self.server.manager.initialize()
        self.upkeep.start(self.tasks)

    def asgi(self, other: Any = None) -> tuple[Any, Mapping[str, Any]]:
        """Return the application and the options that uvicorn must serve it with.

        Socket.IO is under its path, everything else is `other`.
        """
        config = uvicorn_config(self.server, other, socketio_path=self.options.socketio_path)
        options = {
            "ws": config.ws,
            "ws_ping_interval": config.ws_ping_interval,
            "ws_per_message_deflate": config.ws_per_message_deflate,
            "ws_max_size": config.ws_max_size,
            "backlog": config.backlog,
        }
        app: Any = config.app
        if not self.options.direct:
            limit = 16 * self.options.max_event_bytes
            app = limit_bodies(app, self.options.socketio_path, limit)
        return app, options

    async def drain(self) -> None:
        """Move the clients elsewhere; returns when the last has left, or at the end of the
        window. Calling it again waits for the same drain."""
        await self.drain_plan()

    def refuse_new(self) -> None:
        """Take no new clients from now on; those who are here stay until the drain."""
        self.drain_plan.refuse_new()

    def begin_drain(self) -> None:
        """Start to drain in the background."""
        self.tasks.start(self.drain_plan(), "drain")

    @property
    def is_draining(self) -> bool:
        return self.drain_plan.is_draining

    async def stop(self) -> None:
        """End the background work. Nothing may be served any more."""
        self.viewers.stop()
        self.audience.stop()
        self.deliveries.stop()
        for connection in self.registry:
            self.registry.end(connection.sid, ErrorCode.DRAINING)
            connection.cancel_timers()
        await self.tasks.stop()
        await self.server.shutdown()
        if (stop := getattr(self.server.manager, "stop", None)) is not None:
            await stop()
        elif (listening := getattr(self.server.manager, "thread", None)) is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    # --- what the server reports ----------------------------------------------------------

    async def connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        await self.sessions.connect(sid, environ, auth)

    async def welcome(self, sid: str) -> None:
        await self.sessions.welcome(sid)

    async def receive(
        self, sid: str, event: str, arguments: list[Any], acknowledge: Acknowledge | None
    ) -> None:
        await self.sessions.receive(sid, event, arguments, acknowledge)

    async def refuse_unseen(
        self, sid: str, event: str | None, error: PytakeError
    ) -> dict[str, Any]:
        return await self.sessions.refuse_unseen(sid, event, error)

    async def leave(self, sid: str, reason: str) -> None:
        await self.sessions.leave(sid, reason)

    # --- what parts report to each other --------------------------------------------------

    def on_rights_change(self, change: RightsChange) -> None:
        """Judge the connections of a user whose rights have changed."""
        self.lifetime.end_revoked(change.user_id)
        self.tasks.start(self.lifetime.judge(change.user_id), "judge connections")

    def on_broker_up(self) -> None:
        """The command link is back: places may be gone, and list changes were not sent."""
        self._on_interruption()

    def _on_new_epoch(self) -> None:
        """The database was restored: no cursor means anything; clients come back and reload."""
        for connection in self.registry:
            self.registry.end(connection.sid, ErrorCode.UNAVAILABLE)

    def _on_interruption(self) -> None:
        self.heads.soon()
        self.resync.soon()
        self.upkeep.assert_soon()

    def _on_shown_out(self, connection: Connection, room: Room) -> None:
        self.typing.end_later(connection, room.conversation_id)
        self.conversations.leave(connection, room.conversation_id)
        self.viewers.left(connection, room.conversation_id)

    def _on_receipt(self, connection: Connection, receipt: MessageReceipt) -> None:
        self.deliveries.on_receipt(connection, receipt)

    async def _enter_rooms(self, sid: str, rooms: list[str]) -> None:
        await self.emitter.enter_rooms(sid, rooms)

    async def _move_rooms(self, sid: str, leave: list[str], enter: list[str]) -> None:
        for room in leave:
            self.emitter.leave_room(sid, room)
        await self._enter_rooms(sid, enter)

    def connections(self, user_id: UserId | None = None) -> list[Mapping[str, Any]]:
        """Return what `/internal/connections` shows: never a token, never a message."""
        found = self.registry if user_id is None else self.registry.of_user(user_id)
        now = asyncio.get_running_loop().time()
        return [seen_from_inside(connection, now) for connection in found]


def build(options: Options, ports: Ports, *, pod_id: str | None = None) -> Gateway:
    """Return a pod that is put together and not started yet."""
    return Gateway(options, ports, pod_id)
