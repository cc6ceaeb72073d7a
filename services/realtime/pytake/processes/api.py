"""`pytake api`: the REST API, the WhatsApp webhook and the inbox.

It stores first and publishes at once; what it cannot publish stays in the outbox for a
relay. Redis away: requests are served as ever, limits are kept per pod. The database away:
503 with `Retry-After`, and not ready until it answers.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, NoReturn

import structlog

import pytake
from pytake.application.announce import Announcer
from pytake.broker.redis import (
    RedisCommands,
    RedisEventPublisher,
    RedisRoomNotifier,
    parse_address,
)
from pytake.domain.errors import Unavailable
from pytake.limits.online import RedisOnlineUsers
from pytake.limits.shared_counts import SharedCounts
from pytake.observability import logs
from pytake.observability.loop import watch_garbage_collector, watch_loop
from pytake.observability.metrics import Metrics
from pytake.observability.probes import Probes
from pytake.observability.tracing import Tracing
from pytake.processes.clock import utc_now
from pytake.processes.figures import (
    count_log_lines,
    show_commands,
    timed_publisher,
    watch_store,
)
from pytake.processes.leaving import add_inner_routes_without_sockets
from pytake.processes.redis_client import connect_redis
from pytake.processes.rest import build_limits, build_rest, build_services
from pytake.processes.server import Listener, Work, serve
from pytake.processes.start import run, settings_or_exit
from pytake.processes.tokens import build_tokens
from pytake.processes.whatsapp import build_webhook
from pytake.settings import Settings
from pytake.store import Store, open_store
from pytake.tokens.rights import PolledRights
from pytake.transport import freeze_garbage

log = structlog.get_logger(__name__)

COMPONENT: Final = "api"
PING_EVERY_SECONDS = 2.0
RETRY_EVERY_SECONDS = 1.0


def run_api() -> NoReturn:
    """Run the process until a signal, and exit."""
    settings = settings_or_exit("api")
    logs.configure(COMPONENT, level=settings.log_level)
    run(lambda: serve_api(settings))


async def serve_api(
    settings: Settings, on_listening: Callable[[str, str | None], None] | None = None
) -> None:
    """Serve until a signal.

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
        count_log_lines(metrics)
        store = await stack.enter_async_context(opened_store(settings))
        watch_store(store, metrics, tracing)
        address = parse_address(settings.redis_url)
        commands = RedisCommands(address)
        await commands.start()
        stack.push_async_callback(commands.stop)
        show_commands(commands, metrics)
        notifier = RedisRoomNotifier(
            settings.redis_url, settings.redis_channel, has_shards=address.kind == "cluster"
        )
        notifier.start()
        stack.push_async_callback(notifier.stop)
        publisher = timed_publisher(RedisEventPublisher(commands), metrics, tracing)
        announce = Announcer(publisher, notifier, store.outbox, store.conversations)
        rights = PolledRights(store.rights, utc_now)
        await rights.load()
        tokens = build_tokens(settings, rights, utc_now)
        stack.push_async_callback(tokens.close)
        limits = build_limits(settings)
        counts_redis = connect_redis(settings.redis_url)
        stack.push_async_callback(counts_redis.aclose)
        services = build_services(
            settings,
            store,
            announce=announce,
            notifier=notifier,
            tokens=tokens,
            rights=rights,
            limits=limits,
            clock=utc_now,
            online_users=RedisOnlineUsers(counts_redis),
            link_key=await store.link_key(),
        )
        metrics.limits_shared.set(1.0, "http")
        shared_counts = SharedCounts(
            limits.counts,
            counts_redis,
            on_away=lambda is_away: metrics.limits_shared.set(float(not is_away), "http"),
        )
        webhook = build_webhook(settings, store, clock=utc_now, metrics=metrics)
        background: list[Work] = [
            announce.run,
            webhook.work,
            rights.run,
            shared_counts.run,
            StoreWatch(store, metrics, probes).run,
            lambda: watch_loop(metrics),
            probes.status.run,
            *tokens.work,
        ]
        probes.add_note("redis", lambda: None if commands.is_up else "away: limits are per pod")
        stack.enter_context(watch_garbage_collector(metrics))
        add_inner_routes_without_sockets(probes)
        # A full collection that looks at all that was imported stops the loop for 0.1 s.
        freeze_garbage()
        probes.started()
        await serve(
            COMPONENT,
            Listener(
                build_rest(
                    settings,
                    services,
                    metrics=metrics,
                    tracing=tracing,
                    direct=webhook.direct,
                ),
                settings.host,
                settings.port,
            ),
            Listener(probes, settings.metrics_host, settings.metrics_port),
            background=background,
            on_listening=on_listening,
        )
        await asyncio.to_thread(tracing.close)


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """Open the store, waiting for a database that is not there yet.

    Raises:
        StoreNotUsable: It is there, with another schema than this program's.
    """
    store = open_store(settings.database_url, listen_url=settings.database_listen_url)
    is_told = False
    while True:
        try:
            await store.open()
            break
        except Unavailable as error:
            if not is_told:
                log.warning("waiting for the database", reason=error.detail)
            is_told = True
            await asyncio.sleep(RETRY_EVERY_SECONDS)
    try:
        yield store
    finally:
        await store.close()


class StoreWatch:
    """Asks the database for a sign of life, for the metric and, where given, the probe."""

    def __init__(self, store: Store, metrics: Metrics, probes: Probes | None = None) -> None:
        self._store = store
        self._metrics = metrics
        self._reason: str | None = None
        if probes is not None:
            probes.add_check("database", lambda: self._reason)

    async def run(self) -> None:
        """Ask every two seconds until cancelled."""
        while True:
            try:
                await self._store.ping()
                self._reason = None
            except Unavailable:
                self._reason = "does not answer"
            self._metrics.store_up.set(0.0 if self._reason else 1.0)
            await asyncio.sleep(PING_EVERY_SECONDS)
