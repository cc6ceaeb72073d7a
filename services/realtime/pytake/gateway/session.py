"""What happens on a connection, from its admission to its end, in order.

Implements `SocketEvents`: the Socket.IO server reports here, and everything else of the
gateway is called from here. The transport hands over the events of one connection one
after the other, and its end after them.
"""

import asyncio
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from pytake.application.connection_ports import (
    CloseOrder,
    ConnectionPlaces,
    EventRates,
    Place,
    PodSignals,
)
from pytake.contract.client_events import CLIENT_EVENTS
from pytake.contract.error_codes import error_object
from pytake.contract.rooms import rooms_at_connect
from pytake.contract.times import wire_time
from pytake.domain.errors import ErrorCode, PytakeError, Unavailable
from pytake.domain.ids import ConnectionId, UserId
from pytake.gateway.audience import Audience
from pytake.gateway.connection import Connection
from pytake.gateway.conversations import ConnectionGone, Conversations
from pytake.gateway.emitter import Outlet
from pytake.gateway.guard import Guard, is_charged
from pytake.gateway.handlers import Handlers
from pytake.gateway.handshake import Admitted, Handshake
from pytake.gateway.lifetime import Lifetime
from pytake.gateway.registry import Registry
from pytake.gateway.server import Acknowledge
from pytake.gateway.tasks import Tasks
from pytake.gateway.typing_notices import TypingNotices
from pytake.gateway.viewers import Viewers
from pytake.observability.logs import OncePerReason
from pytake.observability.metrics import Metrics

log = structlog.get_logger()

MAX_EARLY = 1000
"""Close orders kept for connections that are not known (yet)."""

MAX_NAME = 64
"""Characters of an unknown event's name that are told back to who sent it."""


class Sessions:
    """All sessions of the pod; `handlers` is set once by who builds it."""

    handlers: Handlers

    def __init__(
        self,
        *,
        pod_id: str,
        handshake: Handshake,
        guard: Guard,
        registry: Registry,
        conversations: Conversations,
        audience: Audience,
        typing: TypingNotices,
        viewers: Viewers,
        lifetime: Lifetime,
        places: ConnectionPlaces,
        rates: EventRates,
        signals: PodSignals,
        metrics: Metrics,
        tasks: Tasks,
        address_of: Callable[[Mapping[str, Any]], str],
        enter_rooms: Callable[[str, list[str]], Awaitable[None]],
        outlet: Callable[[str], Outlet | None],
    ) -> None:
        self._pod_id = pod_id
        self._handshake = handshake
        self._guard = guard
        self._registry = registry
        self._conversations = conversations
        self._audience = audience
        self._typing = typing
        self._viewers = viewers
        self._lifetime = lifetime
        self._places = places
        self._rates = rates
        self._signals = signals
        self._metrics = metrics
        self._tasks = tasks
        self._address_of = address_of
        self._enter_rooms = enter_rooms
        self._outlet = outlet
        self._admitted: dict[str, tuple[Admitted, float]] = {}
        self._early: OrderedDict[ConnectionId, CloseOrder] = OrderedDict()
        self._note_refused_handshake = OncePerReason("handshake refused")
        self._note_refused_event = OncePerReason("event refused")
        # Looked up once: these two are added to for every event.
        self._cells = {
            name: (
                metrics.websocket_events.cell(name),
                metrics.event_handler_duration_seconds.cell(name),
            )
            for name in (*CLIENT_EVENTS, "other")
        }
        signals.listen(
            self.on_close_order, lambda user_id, pod: rates.shared_with(user_id, frozenset({pod}))
        )
        registry.on_end = self._forget

    # --- coming ---------------------------------------------------------------------------

    async def connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        """Admit a connection, or raise what it is refused with."""
        started = _now()
        address = self._address_of(environ.get("asgi.scope", {}))
        try:
            admitted = await self._handshake(sid, address, auth)
        except PytakeError as error:
            self._metrics.connections_rejected.inc(error.code.value)
            if error.code is ErrorCode.RATE_LIMITED:
                self._metrics.rate_limited.inc("handshake")
            self._note_refused_handshake(log, error.code.value)
            outcome = "error" if isinstance(error, Unavailable) else "refused"
            self._metrics.handshake_duration_seconds.observe(_now() - started, outcome)
            raise
        self._admitted[sid] = (admitted, started)

    async def welcome(self, sid: str) -> None:
        """Put an admitted connection into its rooms and greet it, once."""
        waiting = self._admitted.pop(sid, None)
        if waiting is None:
            return
        admitted, started = waiting
        connection = admitted.connection
        connection.outlet = self._outlet(sid)
        self._registry.add(connection)
        await self._enter_rooms(sid, rooms_at_connect(connection.principal))
        if not connection.is_open:
            return
        principal = connection.principal
        data: dict[str, object] = {
            "message": "Welcome.",
            "user_id": principal.user_id,
            "sid": sid,
            "server_time": wire_time(datetime.now(UTC)),
            "expires_at": wire_time(principal.expires_at),
        }
        self._audience.send(connection, "connected", data)
        self._lifetime.begin(connection)
        self._seat(admitted)
        if (order := self._early.pop(ConnectionId(sid), None)) is not None:
            self.on_close_order(order)
        self._metrics.handshake_duration_seconds.observe(_now() - started, "ok")
        resumed = "yes" if admitted.previous is not None else "no"
        carrier = getattr(connection.outlet, "transport_name", "websocket")
        self._metrics.connections_opened.inc(carrier, resumed)
        if admitted.reconnects_after is not None:
            self._metrics.reconnects.inc(admitted.reconnects_after)

    def _seat(self, admitted: Admitted) -> None:
        """Send away who gave way, and share the user's budget with the other pods."""
        user_id = admitted.connection.principal.user_id
        others = frozenset(admitted.seating.others) - {self._pod_id}
        self._rates.shared_with(user_id, others)
        for pod_id in others:
            self._tasks.start(self._signals.share(pod_id, user_id), "share limits")
        for place in admitted.seating.must_go:
            is_fenced = place.connection_id == admitted.previous
            code = ErrorCode.SUPERSEDED if is_fenced else ErrorCode.CONNECTION_CAP
            if code is ErrorCode.CONNECTION_CAP:
                role = admitted.connection.principal.role.value
                self._metrics.user_cap_evictions.inc(role)
            if is_fenced:
                admitted.connection.predecessor = place
            organization = admitted.connection.principal.organization_id if is_fenced else None
            order = CloseOrder(place.connection_id, user_id, code, organization_id=organization)
            self.send_order(place, order)

    def send_order(self, place: Place, order: CloseOrder) -> None:
        """Have a connection ended by the pod that has it."""
        if place.pod_id == self._pod_id:
            self.on_close_order(order)
        else:
            self._tasks.start(self._signals.close(place.pod_id, order), "send close order")

    def on_joined(self, connection: Connection) -> None:
        """Tell the pod of a connection's predecessor, which may drain, that it can go."""
        place, connection.predecessor = connection.predecessor, None
        if place is not None:
            user_id = connection.principal.user_id
            order = CloseOrder(
                place.connection_id,
                user_id,
                ErrorCode.SUPERSEDED,
                has_joined=True,
                organization_id=connection.principal.organization_id,
            )
            self.send_order(place, order)

    def on_close_order(self, order: CloseOrder) -> None:
        """End one of our connections because another pod asks for it."""
        connection = self._registry.get(order.connection_id)
        if connection is None:
            # Perhaps it gave way before it was greeted: the order may be the faster one.
            self._early[order.connection_id] = order
            if len(self._early) > MAX_EARLY:
                self._early.popitem(last=False)
            return
        principal = connection.principal
        if principal.user_id != order.user_id:
            return
        if order.organization_id not in (None, principal.organization_id):
            # Its place, which the other one took, is entered again at the next assertion.
            return
        is_patient = self._lifetime.is_leaving(connection) and not order.has_joined
        if order.code is ErrorCode.SUPERSEDED and is_patient:
            self._lifetime.end_soon(connection, order.code)
        else:
            self._registry.end(order.connection_id, order.code)

    # --- events ---------------------------------------------------------------------------

    async def receive(
        self, sid: str, event: str, arguments: list[Any], acknowledge: Acknowledge | None
    ) -> None:
        """Handle one event of a connection; the transport keeps them in order."""
        connection = self._registry.get(sid)
        if connection is None or connection.closing_code is not None:
            return
        started = time.monotonic()
        name = event if event in CLIENT_EVENTS else "other"
        received, duration = self._cells[name]
        received.value += 1

        def reply(answer: dict[str, Any]) -> None:
            if acknowledge is not None and connection.is_open:
                acknowledge({"ok": True} | answer)

        try:
            payload = await self._guard.check(connection, event, arguments)
            if connection.is_open:
                await self.handlers.by_event[event](connection, payload, reply)
        except ConnectionGone:
            return
        except PytakeError as error:
            self.refuse(connection, error, name, acknowledge, asked=event[:MAX_NAME])
        except Exception:
            trace_id = uuid.uuid4().hex
            log.exception("handler failed", event_name=name, trace_id=trace_id)
            self._metrics.unhandled_errors.inc("event")
            self.refuse(connection, PytakeError(), name, acknowledge, trace_id)
        duration.observe(time.monotonic() - started)

    async def refuse_unseen(
        self, sid: str, event: str | None, error: PytakeError
    ) -> dict[str, Any]:
        """Refuse an event that nobody will look at; return its acknowledgement."""
        connection = self._registry.get(sid)
        name = event if event in CLIENT_EVENTS else "other"
        answers: list[dict[str, Any]] = [{"ok": False}]
        if connection is not None:
            self._metrics.websocket_events.inc(name)
            self.refuse(connection, error, name, answers.append)
        return answers[-1]

    def refuse(
        self,
        connection: Connection,
        error: PytakeError,
        event: str,
        acknowledge: Acknowledge | None = None,
        trace_id: str | None = None,
        asked: str = "",
    ) -> None:
        """Tell a client that an event was refused, and close who never listens.

        `event` is a name of the contract or `other`; `asked` the name that the client used.
        """
        self._metrics.event_errors.inc(event, error.code.value)
        user_id = connection.principal.user_id
        self._note_refused_event(log, error.code.value, event_name=event, user_id=user_id)
        if error.code is ErrorCode.RATE_LIMITED:
            self._metrics.rate_limited.inc("user" if is_charged(event) else "connection")
        if not connection.is_open or connection.closing_code is not None:
            return
        answer = error_object(error, event=asked or event, trace_id=trace_id)
        if acknowledge is not None:
            acknowledge({"ok": False, "error": answer})
        if self._guard.may_tell(connection, error.code.value):
            self._audience.send(connection, "error", answer)
        if self._guard.refused_too_often(connection):
            self._registry.end(connection.sid, error.code, "Too many refusals.")

    # --- going ----------------------------------------------------------------------------

    async def leave(self, sid: str, reason: str) -> None:
        """Forget a connection that has ended, whoever ended it."""
        if (waiting := self._admitted.pop(sid, None)) is not None:
            user_id = waiting[0].connection.principal.user_id
            await self._places.release(user_id, ConnectionId(sid))
        connection = self._registry.get(sid)
        if connection is None:
            return
        self._forget(connection, reason)

    def _forget(self, connection: Connection, reason: str = "") -> None:
        """End everything that a connection takes part in; doing it twice changes nothing."""
        for conversation_id in list(connection.joined):
            self._viewers.left(connection, conversation_id)
        self._conversations.leave_all(connection)
        self._typing.end_all(connection)
        self._guard.forget(connection)
        if self._registry.remove(connection.sid) is None:
            return
        self._count_end(connection, _close_reason(connection, reason))
        user_id = connection.principal.user_id
        self._tasks.start(self._release(user_id, connection.sid), "release place")

    def _count_end(self, connection: Connection, reason: str) -> None:
        self._metrics.connections_closed.inc(reason)
        by_server = connection.closing_code is not None
        ended_by = "server" if by_server else "client" if reason == "client" else "network"
        age = _now() - connection.opened_at
        self._metrics.connection_duration_seconds.observe(age, ended_by)

    async def _release(self, user_id: UserId, sid: str) -> None:
        await self._places.release(user_id, ConnectionId(sid))
        if not self._registry.of_user(user_id):
            self._rates.forget(user_id)


def _close_reason(connection: Connection, reason: str) -> str:
    if connection.closing_code is not None:
        return connection.closing_code
    return {
        "client disconnect": "client",
        "transport close": "client",
        "ping timeout": "ping_timeout",
        "transport error": "transport_error",
    }.get(reason, "other")


def _now() -> float:
    return asyncio.get_running_loop().time()
