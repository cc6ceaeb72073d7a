"""`pytake gateway`: a Socket.IO pod.

The database away: joins are refused as retryable, live events flow. Redis away: events
come through the store, at most a second late; a pod that was ready stays ready, since the
outage of Redis must not become one of all pods. Only a pod that hears nothing although
Redis answers, and one that never reached Redis, asks for no clients.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, NoReturn

import structlog

import pytake
from pytake.application.mark_read import MarkRead
from pytake.application.show_customer import ShowCustomer
from pytake.broker.redis import (
    RedisCommands,
    RedisEventFeed,
    RedisPodSignals,
    RedisViewerBoard,
    parse_address,
)
from pytake.contract.media_links import Link, MediaLinks
from pytake.domain.ids import UserId
from pytake.gateway.pod import Gateway, Options, Ports, build, new_pod_id
from pytake.limits.addresses import TrustedProxies
from pytake.limits.redis import RedisEventRates, RedisPlaces
from pytake.observability import logs
from pytake.observability.loop import watch_garbage_collector, watch_loop
from pytake.observability.metrics import Metrics
from pytake.observability.probes import Probes
from pytake.observability.tracing import Tracing
from pytake.processes.api import StoreWatch, opened_store
from pytake.processes.clock import utc_now
from pytake.processes.figures import count_log_lines, show_feed, watch_store
from pytake.processes.leaving import leave_first
from pytake.processes.pod_deletion_cost import PodAddress, PodDeletionCost
from pytake.processes.redis_client import ClusterCommands, connect_redis
from pytake.processes.server import Listener, Work, serve
from pytake.processes.start import run, settings_or_exit
from pytake.processes.tokens import build_tokens
from pytake.settings import Settings
from pytake.store import Store
from pytake.tokens.rights import PolledRights
from pytake.transport import AsyncRedisManager, keep_garbage_frozen

log = structlog.get_logger()

COMPONENT: Final = "gateway"
DRAIN_SECONDS = 25.0
CLUSTER_SECONDS = 0.25


def run_gateway() -> NoReturn:
    """Run the process until a signal, and exit."""
    settings = settings_or_exit("gateway")
    logs.configure(COMPONENT, level=settings.log_level)
    run(lambda: serve_gateway(settings))


async def serve_gateway(
    settings: Settings, on_listening: Callable[[str, str | None], None] | None = None
) -> None:
    """Serve until a signal, then drain.

    Raises:
        CannotListen: An address is taken.
        StoreNotUsable: The database has another schema.
    """
    metrics = Metrics(COMPONENT, version=pytake.__version__)
    tracing = Tracing.to_collector(
        settings.otlp_endpoint,
        ratio=settings.trace_sample_ratio,
        component=COMPONENT,
        version=pytake.__version__,
    )
    probes = Probes(metrics)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, tracing.close)
        count_log_lines(metrics)
        store = await stack.enter_async_context(opened_store(settings))
        watch_store(store, metrics, tracing)
        rights = PolledRights(store.rights, utc_now)
        await rights.load()
        tokens = build_tokens(settings, rights, utc_now)
        stack.push_async_callback(tokens.close)
        link = MediaLinks(await store.link_key(), time.time)
        pod = RedisPod(settings, store, rights, tokens.verify, link, metrics, tracing)
        await pod.start()
        stack.push_async_callback(pod.stop)
        add_inner_routes(probes, pod.gateway)
        pod.add_checks(probes)
        stack.enter_context(watch_garbage_collector(metrics))
        background: list[Work] = [
            rights.run,
            pod.places.run,
            StoreWatch(store, metrics).run,
            lambda: watch_loop(metrics),
            probes.status.run,
            keep_garbage_frozen,
            *tokens.work,
        ]
        if address := PodAddress.found(os.environ, settings.deletion_cost_pod):
            background.append(PodDeletionCost(address, lambda: len(pod.gateway.registry)).run)
        app, options = pod.gateway.asgi(health)
        probes.started()
        await serve(
            COMPONENT,
            Listener(app, settings.host, settings.port, options),
            Listener(probes, settings.metrics_host, settings.metrics_port),
            drain=pod.gateway.drain,
            background=background,
            on_listening=on_listening,
        )


class RedisPod:
    """A pod and its links to Redis."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        rights: PolledRights,
        verify: Any,
        link: Link,
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        address = parse_address(settings.redis_url)
        pod_id = new_pod_id()
        rate = settings.event_rate_limit
        self.commands = RedisCommands(address)
        self.feed = RedisEventFeed(address, self.commands, pod_id)
        keyed: Any = self.commands
        self._cluster: Any = None
        if address.kind == "cluster":
            self._cluster = connect_redis(settings.redis_url, timeout=CLUSTER_SECONDS)
            keyed = ClusterCommands(self._cluster)
        self.places = RedisPlaces(keyed, pod_id, settings.max_connections_per_user)
        self.rates = RedisEventRates(keyed, rate.count, rate.seconds)
        make_manager: Any = AsyncRedisManager
        self.manager = make_manager(settings.redis_url, settings.redis_channel)
        notifier = _Notifier()
        show_customer = ShowCustomer(store.signs, utc_now)
        ports = Ports(
            verify=verify,
            event_log=store.event_log,
            users=store.users,
            rights=rights,
            rights_refresh=rights.load,
            mark_read=MarkRead(
                store.conversations, store.conversations, notifier, show_customer.read
            ),
            show_typing=show_customer.typing,
            feed=self.feed,
            places=self.places,
            rates=self.rates,
            signals=RedisPodSignals(self.commands, self.feed, pod_id),
            viewers=RedisViewerBoard(self.commands, self.feed, pod_id, keyed=keyed),
            manager=self.manager,
            metrics=metrics,
            tracing=tracing,
            renew_feed=self.feed.renew,
            link=link,
            address_of=TrustedProxies(settings.trusted_proxies).budget_of,
        )
        self.gateway = build(gateway_options(settings, DRAIN_SECONDS), ports, pod_id=pod_id)
        notifier.gateway = self.gateway
        rights.listen(self.gateway.on_rights_change)
        self.commands.on_up(self.gateway.on_broker_up)
        self.places.on_shared_again = self.gateway.upkeep.assert_soon
        show_feed(self.commands, self.feed, metrics)
        metrics.limits_shared.read_from(self._limits_shared)

    def _limits_shared(self) -> Mapping[tuple[str, ...], float]:
        is_up = self.commands.is_up
        return {
            ("connections",): float(is_up and self.places.is_shared),
            ("events",): float(is_up and self.rates.is_shared),
        }

    async def start(self) -> None:
        """Connect and begin to work."""
        await self.commands.start()
        await self.places.beat()
        await self.gateway.start()
        await self.feed.start()

    async def stop(self) -> None:
        """End what `start` began; the pod's places come free at once."""
        await self.places.end()
        await self.gateway.stop()
        await self.feed.stop()
        await self.commands.stop()
        if self._cluster is not None:
            await self._cluster.aclose()

    def add_checks(self, probes: Probes) -> None:
        """Say when this pod should get no clients, and when it works less well."""
        probes.add_check("deaf", lambda: "hears nothing of Redis" if self.feed.is_deaf else None)
        probes.add_check(
            "redis", lambda: None if self.feed.was_up else "was never reached by this pod"
        )
        probes.add_note(
            "redis",
            lambda: None if self.feed.is_healthy else "away: events come through the store",
        )


class _Notifier:
    """Port `RoomNotifier`; the gateway that it speaks through is made after it."""

    gateway: Gateway

    async def emit(self, rooms: Any, event: str, data: Any) -> None:
        await self.gateway.cluster_rooms.emit(list(rooms), event, data)


def gateway_options(settings: Settings, drain_seconds: float) -> Options:
    """Return what of the settings a pod needs.

    Args:
        settings: Of the process.
        drain_seconds: Where the settings say nothing.
    """
    drain = settings.drain_seconds
    return Options(
        ping_interval=settings.ping_interval,
        ping_timeout=settings.ping_timeout,
        max_event_bytes=settings.max_event_bytes,
        send_buffer_bytes=settings.send_buffer_bytes,
        send_buffer_total_bytes=settings.send_buffer_total_bytes,
        max_connections=settings.max_connections,
        max_connection_age=settings.max_connection_age,
        handshake_rate=settings.handshake_rate,
        drain_seconds=drain_seconds if drain is None else drain,
        status_coalesce_ms=settings.status_coalesce_ms,
        cors_allowed_origins=settings.cors_allowed_origins,
        direct=settings.transport == "direct",
    )


def add_inner_routes(probes: Probes, gateway: Gateway) -> None:
    """Answer `/internal/drain` and `/internal/connections?user=`, not ready once it drains."""

    async def drain(query: Mapping[str, str]) -> tuple[int, Any]:
        if refused := await leave_first(query, gateway.refuse_new):
            return refused
        gateway.begin_drain()
        return 202, {"draining": True, "connections": len(gateway.registry)}

    async def connections(query: Mapping[str, str]) -> tuple[int, Any]:
        user = query.get("user")
        items = gateway.connections(UserId(user) if user else None)
        return 200, {"pod": gateway.pod_id, "items": items}

    probes.add_check("drain", lambda: "draining" if gateway.is_draining else None)
    probes.add_handler("/internal/drain", drain)
    probes.add_handler("/internal/connections", connections)


async def health(scope: Any, receive: Any, send: Any) -> None:
    """Answer `/health` on the public port, and nothing else."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    if scope["type"] != "http":
        return
    is_health = scope["path"] == "/health" and scope["method"] in ("GET", "HEAD")
    status = 200 if is_health else 404
    body = (
        f'{{"status":"ok","version":"{pytake.__version__}"}}'.encode()
        if is_health
        else b'{"code":"not_found"}'
    )
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
