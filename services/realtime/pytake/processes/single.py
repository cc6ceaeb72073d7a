"""All parts of the platform in one process and one event loop, without any other server.

`pytake dev` serves it; the long WhatsApp run of the tests drives it with every fault on. The
parts are those of the other processes: what is put together differently here is only the
broker (in memory), the caps and rates (in memory) and the way to WhatsApp (the simulator,
called by HTTP inside the process).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

import pytake
from pytake.application.announce import Announcer
from pytake.application.mark_read import MarkRead
from pytake.application.ports import Committed
from pytake.application.show_customer import ShowCustomer
from pytake.broker.memory import MemoryBroker
from pytake.contract.media_links import Link, MediaLinks
from pytake.domain.ids import OrganizationId, UserId
from pytake.gateway.pod import Gateway, Ports, build, new_pod_id
from pytake.limits.addresses import TrustedProxies
from pytake.limits.memory import MemoryEventRates, MemoryPlaces
from pytake.media.object_store import ObjectStoreMediaFiles
from pytake.observability.loop import watch_garbage_collector, watch_loop
from pytake.observability.metrics import Metrics
from pytake.observability.probes import Probes
from pytake.observability.tracing import Tracing
from pytake.processes.clock import utc_now
from pytake.processes.figures import count_log_lines, timed_publisher, watch_store
from pytake.processes.gateway import add_inner_routes, gateway_options
from pytake.processes.rest import build_limits, build_rest, build_services
from pytake.processes.server import Work
from pytake.processes.tokens import Tokens, build_tokens
from pytake.processes.whatsapp import (
    RelayWork,
    Timing,
    Webhook,
    build_relay_work,
    build_webhook,
)
from pytake.settings import Settings
from pytake.simulator.app import Simulator, SimulatorOptions, open_simulator
from pytake.store import Store
from pytake.tokens.rights import PolledRights
from pytake.whatsapp.graph import TIMEOUT_SECONDS, GraphClient

SIMULATOR_PATH = "/simulator"
DRAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Single:
    """The process, put together: serve `app` with `options` and keep `works` running."""

    app: ASGIApp
    options: Mapping[str, Any]
    works: Sequence[Work]
    gateway: Gateway
    simulator: Simulator
    rest: ASGIApp
    tokens: Tokens


@asynccontextmanager
async def open_single(
    settings: Settings,
    store: Store,
    simulated: SimulatorOptions,
    *,
    default_organization: OrganizationId | None = None,
    timing: Timing | None = None,
    request_seconds: float = TIMEOUT_SECONDS,
) -> AsyncIterator[Single]:
    """Put the process together and start the gateway.

    Args:
        settings: Complete, with secrets.
        store: Open.
        simulated: The WhatsApp on the other side; its secrets are those of the settings.
        default_organization: Whose admins see quarantined items that name no number.
        timing: Waits that a test makes shorter.
        request_seconds: How long WhatsApp may take to answer.
    """
    link_key = await store.link_key()
    parts = _Parts(settings, store, MediaLinks(link_key, time.time))
    await parts.rights.load()
    rest = parts.rest(link_key)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(parts.tokens.close)
        stack.push_async_callback(asyncio.to_thread, parts.tracing.close)
        simulator = await stack.enter_async_context(
            open_simulator(simulated, httpx.ASGITransport(rest))
        )
        graph = await stack.enter_async_context(
            GraphClient.connect(
                "http://simulator",
                settings.whatsapp_api_version,
                transport=httpx.ASGITransport(simulator.app),
                timeout=request_seconds,
            )
        )
        parts.relay = parts.relay_work(graph, default_organization, timing)
        await parts.gateway.start()
        stack.push_async_callback(parts.gateway.stop)
        stack.enter_context(watch_garbage_collector(parts.metrics))
        with_sockets, options = parts.gateway.asgi(rest)
        parts.probes.started()
        yield Single(
            app=_OnePort(parts.probes, simulator.app, with_sockets),
            options=options,
            works=[simulator.run, *parts.works()],
            gateway=parts.gateway,
            simulator=simulator,
            rest=rest,
            tokens=parts.tokens,
        )


class _Parts:
    """Everything but the simulator. `relay` is set once WhatsApp can be reached."""

    relay: RelayWork

    def __init__(self, settings: Settings, store: Store, link: Link) -> None:
        self._settings = settings
        self._store = store
        self._link = link
        self.metrics = Metrics("dev", version=pytake.__version__)
        self.tracing = Tracing.to_collector(
            settings.otlp_endpoint,
            ratio=settings.trace_sample_ratio,
            component="dev",
            version=pytake.__version__,
        )
        count_log_lines(self.metrics)
        watch_store(store, self.metrics, self.tracing)
        self._broker = MemoryBroker()
        self._publisher = timed_publisher(self._broker, self.metrics, self.tracing)
        self.metrics.broker_up.set(1, "publish")
        self.metrics.broker_up.set(1, "subscribe")
        self.metrics.store_up.set(1)
        self.rights = PolledRights(store.rights, utc_now)
        self.tokens = build_tokens(settings, self.rights, utc_now)
        options = replace(gateway_options(settings, DRAIN_SECONDS), path="local")
        self.gateway = build(options, self._ports(), pod_id=self._pod_id)
        self.rights.listen(self.gateway.on_rights_change)
        self._announcer = Announcer(self._publisher, self, store.outbox, store.conversations)
        self._webhook: Webhook = build_webhook(
            settings,
            store,
            clock=utc_now,
            metrics=self.metrics,
            on_appended=lambda: self.relay.wake_webhooks(),
        )
        self.probes = Probes(self.metrics)
        add_inner_routes(self.probes, self.gateway)

    async def emit(self, rooms: Sequence[str], event: str, data: Mapping[str, Any]) -> None:
        """Port `RoomNotifier`: all rooms are in this process."""
        await self.gateway.cluster_rooms.emit(list(rooms), event, data)

    async def _announce(self, committed: Committed) -> None:
        await self._announcer(committed)
        if committed.events:
            self.relay.wake_senders()

    def _ports(self) -> Ports:
        settings, store = self._settings, self._store
        self._pod_id = new_pod_id()
        rate = settings.event_rate_limit
        show_customer = ShowCustomer(store.signs, utc_now)
        return Ports(
            verify=self.tokens.verify,
            event_log=store.event_log,
            users=store.users,
            rights=self.rights,
            rights_refresh=self.rights.load,
            mark_read=MarkRead(store.conversations, store.conversations, self, show_customer.read),
            show_typing=show_customer.typing,
            feed=self._broker.feed(),
            places=MemoryPlaces(self._pod_id, settings.max_connections_per_user),
            rates=MemoryEventRates(rate.count, rate.seconds),
            signals=self._broker.pod_signals(self._pod_id),
            viewers=self._broker.viewer_board(self._pod_id),
            link=self._link,
            address_of=TrustedProxies(settings.trusted_proxies).budget_of,
            metrics=self.metrics,
            tracing=self.tracing,
        )

    def rest(self, link_key: bytes) -> ASGIApp:
        services = build_services(
            self._settings,
            self._store,
            announce=self._announce,
            notifier=self,
            tokens=self.tokens,
            rights=self.rights,
            limits=build_limits(self._settings),
            clock=utc_now,
            link_key=link_key,
            opens_window_for=timedelta(hours=24),
            online_users=self._online_users,
        )
        return build_rest(
            self._settings,
            services,
            metrics=self.metrics,
            tracing=self.tracing,
            direct=self._webhook.direct,
            has_docs=True,
        )

    async def _online_users(self, wanted: Sequence[UserId]) -> frozenset[UserId]:
        here = {connection.principal.user_id for connection in self.gateway.registry}
        return frozenset(here.intersection(wanted))

    def relay_work(
        self, graph: GraphClient, organization: OrganizationId | None, timing: Timing | None
    ) -> RelayWork:
        return build_relay_work(
            self._store,
            graph=graph,
            files=ObjectStoreMediaFiles(self._settings.media_url),
            publisher=self._publisher,
            notifier=self,
            announce=self._announcer,
            clock=utc_now,
            metrics=self.metrics,
            tracing=self.tracing,
            default_organization=organization,
            timing=timing,
            event_retention_days=self._settings.event_retention_days,
        )

    def works(self) -> list[Work]:
        return [
            self._announcer.run,
            self.rights.run,
            self._webhook.work,
            lambda: watch_loop(self.metrics),
            self.probes.status.run,
            *self.tokens.work,
            *self.relay.works,
        ]


class _OnePort:
    """Sends each request to the part it is meant for."""

    def __init__(self, probes: Probes, simulator: ASGIApp, rest: ASGIApp) -> None:
        self._probes = probes
        self._simulator = simulator
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and self._probes.handles(path):
            await self._probes(scope, receive, send)
        elif path == SIMULATOR_PATH or path.startswith(SIMULATOR_PATH + "/"):
            root = scope.get("root_path", "") + SIMULATOR_PATH
            await self._simulator({**scope, "root_path": root}, receive, send)
        else:
            await self._rest(scope, receive, send)
