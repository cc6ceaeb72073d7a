"""`pytake dev`: everything in one process and one event loop, on one port.

API, gateway, relay, WhatsApp simulator and web inbox, on a SQLite file under `.pytake/`, with
the broker that lives in the process. The parts are those of the other processes, put together
without Redis; the simulator is reached by HTTP inside the process, as the real one would be
outside.

    /                    the inbox                /simulator           the simulator's phone
    /api/v1/…            the REST API             /metrics /livez …    the inner routes
    /socket.io           the gateway
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

import pytake
from pytake.application.announce import Announcer
from pytake.application.mark_read import MarkRead
from pytake.broker.memory import MemoryBroker
from pytake.domain.ids import OrganizationId, UserId
from pytake.gateway.pod import Gateway, Options, Ports, build, new_pod_id
from pytake.limits.memory import MemoryEventRates, MemoryPlaces
from pytake.media.object_store import ObjectStoreMediaFiles
from pytake.observability import logs
from pytake.observability.loop import watch_garbage_collector, watch_loop
from pytake.observability.metrics import Metrics
from pytake.observability.probes import Probes
from pytake.observability.tracing import Tracing
from pytake.processes import demo, dev_key
from pytake.processes.clock import utc_now
from pytake.processes.demo_content import ACCOUNTS, PASSWORD, TALKS
from pytake.processes.figures import count_log_lines, timed_publisher, watch_store
from pytake.processes.rest import build_limits, build_rest, build_services
from pytake.processes.server import Listener, Work, serve
from pytake.processes.start import run, settings_or_exit
from pytake.processes.tokens import build_tokens
from pytake.processes.whatsapp import build_relay_work, build_webhook
from pytake.settings import Settings
from pytake.simulator.app import Simulator, SimulatorOptions, open_simulator
from pytake.simulator.customers import Pace
from pytake.store import Store, migrate, open_store
from pytake.tokens.passwords import Argon2Passwords
from pytake.tokens.rights import PolledRights
from pytake.whatsapp.graph import GraphClient

log = structlog.get_logger()

DRAIN_SECONDS = 1.0
SIMULATOR_PATH = "/simulator"
PHONE_NUMBER_ID = "106540352242922"


def run_dev(*, host: str | None, port: int | None, allow_remote: bool) -> None:
    """Serve until a signal. Exits 2 for bad settings or a host that others could reach."""
    given = {"host": host, "port": port}
    settings = settings_or_exit(
        "dev", **{name: value for name, value in given.items() if value is not None}
    )
    if not allow_remote and not _is_loopback(settings.host):
        print(
            f"PYTAKE_HOST: {settings.host} can be reached by others, and the demo accounts have a "
            "known password; give --allow-remote if that is meant",
            file=sys.stderr,
        )
        sys.exit(2)
    settings = dev_key.complete(settings)
    logs.configure("dev", level=settings.log_level)
    run(lambda: _main(settings))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


async def _main(settings: Settings) -> None:
    _make_folder(settings.database_url)
    await migrate(settings.database_url)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings.database_url))
        organization = await _seed(settings)
        process = await stack.enter_async_context(_Process.open(settings, store, organization))
        await serve(
            "dev",
            Listener(process.app, settings.host, settings.port, process.listener_options),
            drain=process.gateway.drain,
            background=process.works,
            on_listening=lambda address, _: _greet(address, settings),
        )


def _make_folder(database_url: str) -> None:
    scheme, _, path = database_url.partition(":///")
    if scheme.startswith("sqlite") and path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)


async def _seed(settings: Settings) -> OrganizationId | None:
    if settings.demo == "off":
        return None
    passwords = Argon2Passwords()
    try:
        return await demo.seed(
            settings.database_url,
            passwords.hash,
            phone_number_id=PHONE_NUMBER_ID,
            access_token=_secret(settings.whatsapp_access_token),
            now=utc_now(),
        )
    finally:
        passwords.close()


def _secret(value: Any) -> str:
    return str(value.get_secret_value())


def _greet(address: str, settings: Settings) -> None:
    """Say on the terminal where to go; the `listening` line is for machines."""
    if not sys.stderr.isatty():
        return
    lines = [f"\n  Inbox      http://{address}/"]
    if settings.demo != "off":
        accounts = ", ".join(email for email, _, _ in ACCOUNTS)
        lines.append(f"  Sign in    {accounts} (password: {PASSWORD})")
        lines.append(f"  Customers  http://{address}{SIMULATOR_PATH}/")
    print("\n".join(lines) + "\n", file=sys.stderr)


class _Process:
    """The parts of the process, put together and started."""

    def __init__(
        self, app: ASGIApp, options: Mapping[str, Any], gateway: Gateway, works: list[Work]
    ) -> None:
        self.app = app
        self.listener_options = options
        self.gateway = gateway
        self.works = works

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, store: Store, organization: OrganizationId | None
    ) -> AsyncIterator["_Process"]:
        metrics = Metrics("dev", version=pytake.__version__)
        tracing = Tracing.to_collector(
            settings.otlp_endpoint,
            ratio=settings.trace_sample_ratio,
            component="dev",
            version=pytake.__version__,
        )
        count_log_lines(metrics)
        watch_store(store, metrics)
        broker = MemoryBroker()
        publisher = timed_publisher(broker, metrics)
        metrics.broker_up.set(1, "publish")
        metrics.broker_up.set(1, "subscribe")
        metrics.store_up.set(1)
        rights = PolledRights(store.rights, utc_now)
        await rights.load()
        tokens = build_tokens(settings, rights, utc_now)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(tokens.close)
            notifier = _Notifier()
            gateway = _gateway(
                settings, store, broker, rights, tokens.verify, notifier, metrics, tracing
            )
            notifier.gateway = gateway
            rights.listen(gateway.on_rights_change)
            announcer = Announcer(publisher, notifier, store.outbox)

            late: dict[str, Any] = {}
            webhook = build_webhook(
                settings,
                store,
                clock=utc_now,
                metrics=metrics,
                on_appended=lambda: late["relay"].wake_webhooks(),
            )

            async def announce(committed: Any) -> None:
                await announcer(committed)
                if committed.events:
                    late["relay"].wake_senders()

            services = build_services(
                settings,
                store,
                announce=announce,
                notifier=notifier,
                tokens=tokens,
                rights=rights,
                limits=build_limits(settings),
                clock=utc_now,
                link_key=await store.link_key(),
                opens_window_for=timedelta(hours=24),
                online_users=_online_users(gateway),
            )
            rest = build_rest(
                settings,
                services,
                metrics=metrics,
                tracing=tracing,
                routers=[webhook.router],
                has_docs=True,
            )
            simulator = await stack.enter_async_context(
                open_simulator(_simulator_options(settings), httpx.ASGITransport(rest))
            )
            graph = await stack.enter_async_context(
                GraphClient.connect(
                    "http://simulator",
                    settings.whatsapp_api_version,
                    transport=httpx.ASGITransport(simulator.app),
                )
            )
            relay = late["relay"] = build_relay_work(
                store,
                graph=graph,
                files=ObjectStoreMediaFiles(settings.media_url),
                publisher=publisher,
                announce=announcer,
                clock=utc_now,
                metrics=metrics,
                default_organization=organization,
            )
            probes = _probes(metrics, gateway, store)
            await gateway.start()
            stack.push_async_callback(gateway.stop)
            if settings.demo != "off":
                await _introduce(simulator)
            stack.enter_context(watch_garbage_collector(metrics))
            probes.started()
            stack.push_async_callback(asyncio.to_thread, tracing.close)
            works: list[Work] = [
                announcer.run,
                rights.run,
                webhook.work,
                lambda: watch_loop(metrics),
                simulator.run,
                *tokens.work,
                *relay.works,
            ]
            with_sockets, options = gateway.asgi(rest)
            app = _OnePort(probes, simulator.app, with_sockets)
            yield cls(app, options, gateway, works)


class _Notifier:
    """Port `RoomNotifier`; the gateway that it speaks through is made after it."""

    gateway: Gateway

    async def emit(self, rooms: Any, event: str, data: Any) -> None:
        await self.gateway.cluster_rooms.emit(list(rooms), event, data)


def _gateway(
    settings: Settings,
    store: Store,
    broker: MemoryBroker,
    rights: PolledRights,
    verify: Any,
    notifier: _Notifier,
    metrics: Metrics,
    tracing: Tracing,
) -> Gateway:
    pod_id = new_pod_id()
    rate = settings.event_rate_limit
    drain = settings.drain_seconds
    options = Options(
        ping_interval=settings.ping_interval,
        ping_timeout=settings.ping_timeout,
        max_event_bytes=settings.max_event_bytes,
        send_buffer_bytes=settings.send_buffer_bytes,
        send_buffer_total_bytes=settings.send_buffer_total_bytes,
        max_connections=settings.max_connections,
        max_connection_age=settings.max_connection_age,
        handshake_rate=settings.handshake_rate,
        drain_seconds=DRAIN_SECONDS if drain is None else drain,
        status_coalesce_ms=settings.status_coalesce_ms,
        cors_allowed_origins=settings.cors_allowed_origins,
        trusted_proxies=settings.trusted_proxies,
        direct=settings.transport == "direct",
        path="local",
    )
    ports = Ports(
        verify=verify,
        event_log=store.event_log,
        users=store.users,
        rights=rights,
        rights_refresh=rights.load,
        mark_read=MarkRead(store.conversations, store.conversations, notifier),
        feed=broker.feed(),
        places=MemoryPlaces(pod_id, settings.max_connections_per_user),
        rates=MemoryEventRates(rate.count, rate.seconds),
        signals=broker.pod_signals(pod_id),
        viewers=broker.viewer_board(pod_id),
        metrics=metrics,
        tracing=tracing,
    )
    return build(options, ports, pod_id=pod_id)


def _online_users(gateway: Gateway) -> Any:
    async def online(organization_id: OrganizationId) -> frozenset[UserId]:
        return frozenset(UserId(connection["user_id"]) for connection in gateway.connections())

    return online


def _simulator_options(settings: Settings) -> SimulatorOptions:
    is_quiet = settings.demo != "on"
    return SimulatorOptions(
        webhook_url="http://pytake",
        app_secret=_secret(settings.whatsapp_app_secret),
        access_token=_secret(settings.whatsapp_access_token),
        verify_token=_secret(settings.whatsapp_verify_token),
        phone_number_id=PHONE_NUMBER_ID,
        pace=Pace(writes_every=None if is_quiet else 25.0),
    )


async def _introduce(simulator: Simulator) -> None:
    """Tell the simulator who the demo's customers are: by its control API, like anybody."""
    people = [
        {"phone": talk.phone, "name": talk.name, "persona": talk.persona, "has_written": True}
        for talk in TALKS
    ]
    transport = httpx.ASGITransport(simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
        (await client.post("/control/customers", json=people)).raise_for_status()


def _probes(metrics: Metrics, gateway: Gateway, store: Store) -> Probes:
    probes = Probes(metrics)

    async def drain(_: Any) -> tuple[int, Any]:
        asyncio.get_running_loop().create_task(gateway.drain())
        return 202, {"draining": True}

    async def connections(query: Any) -> tuple[int, Any]:
        user = query.get("user")
        return 200, {"items": gateway.connections(UserId(user) if user else None)}

    probes.add_handler("/internal/drain", drain)
    probes.add_handler("/internal/connections", connections)
    return probes


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
