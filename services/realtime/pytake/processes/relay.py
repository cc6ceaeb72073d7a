"""`pytake relay`: publishes what was left behind, works off webhooks, sends to WhatsApp.

Run two or more: conversations are claimed, and each lease (webhooks, files, every number) is
held by one of them. Its public port answers `/health` alone; everything else is on the inner
one. Redis away: the outbox fills and is published afterwards. The database away: everything
waits.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Final, NoReturn

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import pytake
from pytake.application.announce import Announcer
from pytake.broker.redis import (
    RedisCommands,
    RedisEventPublisher,
    RedisRoomNotifier,
    parse_address,
)
from pytake.domain.errors import Unavailable
from pytake.media.object_store import ObjectStoreMediaFiles
from pytake.observability import logs
from pytake.observability.loop import watch_garbage_collector, watch_loop
from pytake.observability.metrics import Metrics
from pytake.observability.probes import Probes
from pytake.observability.tracing import Tracing
from pytake.processes.api import StoreWatch, opened_store
from pytake.processes.clock import utc_now
from pytake.processes.figures import (
    count_log_lines,
    show_commands,
    timed_publisher,
    watch_store,
)
from pytake.processes.leaving import add_inner_routes_without_sockets
from pytake.processes.server import Listener, Work, serve
from pytake.processes.start import run, settings_or_exit
from pytake.processes.whatsapp import build_relay_work, first_channel
from pytake.relay.heartbeat import beat
from pytake.settings import Settings
from pytake.store import Store
from pytake.transport import freeze_garbage
from pytake.whatsapp.graph import GraphClient

log = structlog.get_logger(__name__)

COMPONENT: Final = "relay"


def run_relay() -> NoReturn:
    """Run the process until a signal, and exit."""
    settings = settings_or_exit("relay")
    logs.configure(COMPONENT, level=settings.log_level)
    run(lambda: serve_relay(settings))


async def serve_relay(settings: Settings) -> None:
    """Work until a signal.

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
        address = parse_address(settings.redis_url)
        commands = RedisCommands(address)
        await commands.start()
        stack.push_async_callback(commands.stop)
        show_commands(commands, metrics)
        to_redis = RedisEventPublisher(commands)
        publisher = timed_publisher(to_redis, metrics, tracing)
        notifier = RedisRoomNotifier(
            settings.redis_url, settings.redis_channel, has_shards=address.kind == "cluster"
        )
        notifier.start()
        stack.push_async_callback(notifier.stop)
        announcer = Announcer(publisher, notifier, store.outbox, store.conversations)
        graph = await stack.enter_async_context(
            GraphClient.connect(settings.whatsapp_api_url, settings.whatsapp_api_version)
        )
        channel = await _first_channel(settings, store)
        relay = build_relay_work(
            store,
            graph=graph,
            files=ObjectStoreMediaFiles(settings.media_url),
            publisher=publisher,
            notifier=notifier,
            announce=announcer,
            clock=utc_now,
            metrics=metrics,
            tracing=tracing,
            default_organization=channel.organization_id if channel is not None else None,
            event_retention_days=settings.event_retention_days,
        )
        background: list[Work] = [
            announcer.run,
            lambda: beat(to_redis.beat),
            StoreWatch(store, metrics, probes).run,
            lambda: watch_loop(metrics),
            probes.status.run,
            *relay.works,
        ]
        probes.add_note("redis", lambda: None if commands.is_up else "away: the outbox fills")
        stack.enter_context(watch_garbage_collector(metrics))
        add_inner_routes_without_sockets(probes)
        # A full collection that looks at all that was imported stops the loop for 0.1 s.
        freeze_garbage()
        probes.started()
        await serve(
            COMPONENT,
            Listener(_public(), settings.host, settings.port),
            Listener(probes, settings.metrics_host, settings.metrics_port),
            background=background,
        )


async def _first_channel(settings: Settings, store: Store) -> Any:
    try:
        return await first_channel(settings, store)
    except Unavailable:
        log.warning("channel_not_made", reason="the database does not answer")
        return None


def _public() -> Starlette:
    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "version": pytake.__version__})

    return Starlette(routes=[Route("/health", health)])
