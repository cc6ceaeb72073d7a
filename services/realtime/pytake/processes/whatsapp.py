"""The WhatsApp channel out of its parts, for `pytake api`, `pytake relay` and `pytake dev`."""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from pydantic import SecretStr

from pytake.application.announce import AnnounceLeftBehind, ShowOnLists
from pytake.application.channel_ports import MediaFiles, RawDelivery
from pytake.application.ports import (
    Channel,
    Clock,
    Committed,
    EventPublisher,
    RoomNotifier,
)
from pytake.domain.ids import OrganizationId, parse_uuid
from pytake.observability.instruments import Gauge
from pytake.observability.metrics import Metrics
from pytake.observability.tracing import Tracing
from pytake.processes.server import Work
from pytake.relay.leased import while_leased
from pytake.relay.media_loop import MediaLoop
from pytake.relay.outbox_loop import OutboxLoop
from pytake.relay.senders import Senders
from pytake.relay.upkeep import repeat, show_depths
from pytake.relay.webhook_worker import WebhookWorker
from pytake.settings import Settings
from pytake.store import Store
from pytake.whatsapp.append_batch import AppendBatch
from pytake.whatsapp.deliveries import DeliveryHandler, DeliveryPorts
from pytake.whatsapp.graph import GraphClient
from pytake.whatsapp.media import FETCH_WAITS, MediaDownloads, MediaUploads
from pytake.whatsapp.opt_outs import OptOuts
from pytake.whatsapp.pacing import Pacing
from pytake.whatsapp.sender import UNCONFIRMED_WAIT, ChannelSender, SenderPorts
from pytake.whatsapp.signs import SignGiver
from pytake.whatsapp.stop_number import StopNumber
from pytake.whatsapp.template_list import TemplateList
from pytake.whatsapp.webhook import PATH, WebhookEndpoint

log = structlog.get_logger()

ORPHANS_WAIT = timedelta(hours=24)
NEWS_ARE_KEPT = timedelta(days=90)
UPKEEP_SECONDS = 600.0

Announce = Callable[[Committed], Awaitable[None]]

_REQUEST_OUTCOMES = {
    "accepted": "accepted",
    "rejected": "refused",
    "unknown": "unconfirmed",
    "unreachable": "error",
}
_ITEM_OUTCOMES = {
    "stored": "stored",
    "applied": "stored",
    "duplicate": "repeated",
    "orphan": "ignored",
    "ignored": "ignored",
    "quarantined": "quarantined",
}
_DELIVERY_OUTCOMES = {"accepted": "accepted", "unsigned": "bad_signature", "too_large": "too_large"}


@dataclass(frozen=True, slots=True)
class Webhook:
    """What an API process needs to take deliveries: serve `direct`, keep `work` running."""

    endpoint: WebhookEndpoint
    work: Work

    @property
    def direct(self) -> Mapping[str, WebhookEndpoint]:
        """The path that is served without the routes of the API."""
        return {PATH: self.endpoint}


def build_webhook(
    settings: Settings,
    store: Store,
    *,
    clock: Clock,
    metrics: Metrics,
    on_appended: Callable[[], None] = lambda: None,
) -> Webhook:
    """Return the webhook of the settings; without an app secret it refuses every delivery."""
    batch = AppendBatch(store.webhooks, clock, on_appended)
    known = (settings.whatsapp_app_secret, settings.whatsapp_previous_app_secret)
    endpoint = WebhookEndpoint(
        batch.append,
        verify_token=_plain(settings.whatsapp_verify_token),
        secrets=[secret.get_secret_value().encode() for secret in known if secret is not None],
        count=lambda outcome: metrics.webhook_requests.inc(
            _DELIVERY_OUTCOMES.get(outcome, "error")
        ),
    )
    return Webhook(endpoint, batch.run)


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def new_holder() -> str:
    """Return a name for this process among those that hold leases."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Timing:
    """What a test may make faster; the defaults are those of the real WhatsApp."""

    unconfirmed_wait: timedelta = UNCONFIRMED_WAIT
    pacing: Callable[[], Pacing] = Pacing
    media_waits: tuple[float, ...] = FETCH_WAITS
    lease_seconds: float = 6.0


@dataclass(frozen=True, slots=True)
class RelayWork:
    """All that a relay does. Keep every one of `works` running.

    `wake_webhooks` and `wake_senders` may be called by whoever has just stored something.
    """

    works: Sequence[Work]
    wake_webhooks: Callable[[], None]
    wake_senders: Callable[[], None]
    handler: DeliveryHandler = field(repr=False)


def build_relay_work(
    store: Store,
    *,
    graph: GraphClient,
    files: MediaFiles,
    publisher: EventPublisher,
    notifier: RoomNotifier,
    announce: Announce,
    clock: Clock,
    metrics: Metrics,
    tracing: Tracing | None = None,
    default_organization: OrganizationId | None = None,
    timing: Timing | None = None,
    holder: str | None = None,
    event_retention_days: int = 90,
) -> RelayWork:
    """Put the outbox loop, the webhook worker, the senders and the media loop together."""
    timing = timing or Timing()
    holder = holder or new_holder()
    downloads = MediaDownloads(
        store.media,
        files,
        graph,
        store.channels,
        store.channels,
        clock,
        waits=timing.media_waits,
    )
    media = MediaLoop(downloads.fetch_due)
    opt_outs = OptOuts(store.contacts, ShowOnLists(store.conversations, notifier))
    stop_number = StopNumber(store.channels, store.news, clock)
    handler = DeliveryHandler(
        DeliveryPorts(
            conversations=store.conversations,
            channels=store.channels,
            orphans=store.orphans,
            quarantine=store.quarantine,
            media=store.media,
            templates=store.templates,
            sending=store.channels,
            contacts=store.contacts,
            news=store.news,
            opt_outs=opt_outs,
            stop_number=stop_number,
            announce=announce,
            count=lambda kind, outcome: metrics.webhook_items.inc(
                kind if kind in ("message", "status") else "other", _ITEM_OUTCOMES[outcome]
            ),
        ),
        default_organization=default_organization,
        on_media=media.wake.call,
    )

    def on_done(delivery: RawDelivery) -> None:
        seconds = max(0.0, (clock() - delivery.received_at).total_seconds())
        metrics.webhook_processing_seconds.observe(seconds)
        if tracing is not None:
            tracing.record("webhook.process", delivery.traceparent, seconds=seconds)

    worker = WebhookWorker(store.webhooks, handler, on_done=on_done)
    senders = _senders(
        store, files, graph, announce, opt_outs, stop_number, clock, metrics, timing, holder
    )
    outbox = OutboxLoop(
        store.outbox,
        publisher,
        count=lambda events: metrics.outbox_published.inc("ok", amount=events),
        on_failure=lambda: metrics.outbox_published.inc("error"),
        tell_lists=AnnounceLeftBehind(store.conversations, notifier),
    )

    async def work_webhooks() -> None:
        await while_leased(
            store.leases, "webhooks", holder, worker.run, lease_seconds=timing.lease_seconds
        )

    async def fetch_media() -> None:
        await while_leased(
            store.leases, "media", holder, media.run, lease_seconds=timing.lease_seconds
        )

    async def drop_what_is_too_old() -> None:
        await store.orphans.drop_before(clock() - ORPHANS_WAIT)
        await store.news.drop_before(clock() - NEWS_ARE_KEPT)
        await store.upkeep.drop_expired_tokens()
        await store.upkeep.prune_events(event_retention_days)

    template_list = TemplateList(store.templates, store.channels, graph)

    async def templates() -> None:
        await while_leased(
            store.leases,
            "templates",
            holder,
            lambda: repeat(template_list.refresh, UPKEEP_SECONDS),
            lease_seconds=timing.lease_seconds,
        )

    async def upkeep() -> None:
        await repeat(drop_what_is_too_old, UPKEEP_SECONDS)

    async def depths() -> None:
        await show_depths(
            {
                "outbox": (
                    store.outbox.depth,
                    _show(metrics.outbox_pending, metrics.outbox_oldest_age_seconds),
                ),
                "webhooks": (
                    store.webhooks.depth,
                    _show(metrics.webhook_backlog, metrics.webhook_oldest_age_seconds),
                ),
                "sender": (
                    store.send_queue.depth,
                    _show(metrics.sender_pending, metrics.sender_oldest_age_seconds),
                ),
            }
        )

    works = (outbox.run, work_webhooks, senders.run, fetch_media, templates, upkeep, depths)
    return RelayWork(works, worker.wake.call, senders.wake, handler)


def _senders(
    store: Store,
    files: MediaFiles,
    graph: GraphClient,
    announce: Announce,
    opt_outs: OptOuts,
    stop_number: StopNumber,
    clock: Clock,
    metrics: Metrics,
    timing: Timing,
    holder: str,
) -> Senders:
    def observe(outcome: str, seconds: float) -> None:
        metrics.sender_requests.inc(_REQUEST_OUTCOMES.get(outcome, "error"))
        metrics.sender_request_duration_seconds.observe(seconds)

    async def inbox_age() -> float:
        return (await store.webhooks.depth())[1]

    ports = SenderPorts(
        queue=store.send_queue,
        conversations=store.conversations,
        contacts=store.contacts,
        orphans=store.orphans,
        channels=store.channels,
        uploads=MediaUploads(store.media, files, graph, clock),
        templates=store.templates,
        stop_number=stop_number,
        opt_outs=opt_outs,
        graph=graph,
        announce=announce,
        clock=clock,
        inbox_age=inbox_age,
        observe=observe,
    )

    async def send_for(channel: Channel, wait: Callable[[float], Awaitable[None]]) -> None:
        metrics.sender_running.set(1)
        try:
            sender = ChannelSender(
                channel, ports, timing.pacing(), unconfirmed_wait=timing.unconfirmed_wait
            )
            signs = SignGiver(channel, store.signs, store.channels, graph, clock)
            async with asyncio.TaskGroup() as group:
                beside = group.create_task(signs.run())
                await sender.run(wait)
                beside.cancel()
        finally:
            metrics.sender_running.set(0)

    return Senders(
        store.channels.active_channels, send_for, store.leases, holder, store.send_queue.wake_ups
    )


def _show(count: Gauge, age: Gauge) -> Callable[[int, float], None]:
    def show(waiting: int, oldest_seconds: float) -> None:
        count.set(waiting)
        age.set(oldest_seconds)

    return show


async def first_channel(settings: Settings, store: Store) -> Channel | None:
    """Make or refresh the channel that the settings name; None if they name none."""
    token = _plain(settings.whatsapp_access_token)
    if not settings.whatsapp_phone_number_id or token is None:
        return None
    organization = await _organization(settings, store)
    if organization is None:
        log.warning("whatsapp_organization_unknown", organization=settings.whatsapp_organization)
        return None
    return await store.channels.ensure_channel(
        organization,
        name="WhatsApp",
        phone_number_id=settings.whatsapp_phone_number_id,
        access_token=token,
    )


async def _organization(settings: Settings, store: Store) -> OrganizationId | None:
    """Find the organization by id or name; where there is only one, it need not be named."""
    known = await store.users.organizations()
    wanted = settings.whatsapp_organization
    if not wanted and len(known) == 1:
        return known[0][0]
    wanted_id = parse_uuid(wanted)
    return next((each for each, name in known if wanted in (name,) or each == wanted_id), None)
