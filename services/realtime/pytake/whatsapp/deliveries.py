"""Works off stored deliveries, item by item.

Items of one conversation are handled one after the other, those of others beside them. An
item that makes no sense, or that our own code fails on, goes to quarantine with its reason
and its neighbours go on. A store that is away is another thing: then the delivery stays, and
everything in it may be done again, because all of it is safe to repeat.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

import structlog

from pytake.application.channel_ports import (
    ChannelNews,
    ContactBook,
    MediaLibrary,
    OrphanStatuses,
    Quarantine,
    QuarantinedItem,
    RawDelivery,
    SendingChannels,
    Templates,
)
from pytake.application.ports import (
    Channel,
    ChannelDirectory,
    Committed,
    ConversationStore,
    StatusReport,
)
from pytake.domain.errors import Unavailable
from pytake.domain.ids import OrganizationId
from pytake.domain.phone import digits_of
from pytake.observability.trace_context import using_traceparent
from pytake.whatsapp.inbound import NotUnderstood, to_inbound
from pytake.whatsapp.news import NewsHandler, NewsPorts
from pytake.whatsapp.opt_outs import OptOuts
from pytake.whatsapp.payloads import (
    ChangeItem,
    Item,
    Json,
    MessageItem,
    Poison,
    StatusItem,
    excerpt,
    parse_delivery,
)
from pytake.whatsapp.provider_errors import read_errors
from pytake.whatsapp.statuses import to_report
from pytake.whatsapp.stop_number import StopNumber

log = structlog.get_logger()

LANES_AT_ONCE = 16
CHANNEL_MEMORY_SECONDS = 10.0
QUARANTINED_TEXT = 20_000

Count = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class DeliveryPorts:
    """What the items of a delivery are given to."""

    conversations: ConversationStore
    channels: ChannelDirectory
    orphans: OrphanStatuses
    quarantine: Quarantine
    media: MediaLibrary
    templates: Templates
    sending: SendingChannels
    contacts: ContactBook
    news: ChannelNews
    opt_outs: OptOuts
    stop_number: StopNumber
    announce: Callable[[Committed], Awaitable[None]]
    count: Count = lambda kind, outcome: None


@dataclass(frozen=True, slots=True)
class _Work:
    delivery: RawDelivery
    index: int
    item: Item


class DeliveryHandler:
    """Handles batches of deliveries; give them in the order in which they came.

    Args:
        default_organization: Whose admins see quarantined items that name no number.
        on_media: Called when a file waits to be fetched.
    """

    def __init__(
        self,
        ports: DeliveryPorts,
        *,
        default_organization: OrganizationId | None = None,
        on_media: Callable[[], None] = lambda: None,
    ) -> None:
        self._ports = ports
        self._default_organization = default_organization
        self._on_media = on_media
        self._channels: dict[str, tuple[float, Channel | None]] = {}
        self._news = NewsHandler(
            NewsPorts(
                ports.sending,
                ports.templates,
                ports.news,
                ports.contacts,
                ports.opt_outs,
                ports.stop_number,
            ),
            self._channel,
            default_organization,
        )

    async def __call__(self, deliveries: Sequence[RawDelivery]) -> Sequence[int]:
        """Work the deliveries off and return the ids of those that are done."""
        lanes: dict[str, list[_Work]] = {}
        for delivery in deliveries:
            for index, (lane, item) in enumerate(_items(delivery)):
                lanes.setdefault(lane, []).append(_Work(delivery, index, item))
        unfinished: set[int] = set()
        gate = asyncio.Semaphore(LANES_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for works in lanes.values():
                group.create_task(self._lane(works, gate, unfinished))
        return [each.id for each in deliveries if each.id not in unfinished]

    async def _lane(
        self, lane: Sequence[_Work], gate: asyncio.Semaphore, unfinished: set[int]
    ) -> None:
        async with gate:
            for position, work in enumerate(lane):
                try:
                    with using_traceparent(work.delivery.traceparent or ""):
                        await self._handle(work)
                except Unavailable:
                    # What comes after it in this conversation must wait too.
                    unfinished.update(each.delivery.id for each in lane[position:])
                    return

    async def _handle(self, work: _Work) -> None:
        item = work.item
        kind = type(item).__name__.removesuffix("Item").lower()
        try:
            if isinstance(item, MessageItem):
                outcome = await self._message(work, item)
            elif isinstance(item, StatusItem):
                outcome = await self._status(work, item)
            elif isinstance(item, ChangeItem):
                outcome = await self._news(
                    item, _item_id(work.delivery, work.index), work.delivery.received_at
                )
            else:
                outcome = await self._quarantine(work, item.reason)
        except NotUnderstood as reason:
            outcome = await self._quarantine(work, str(reason))
        except Unavailable:
            raise
        except Exception as error:
            # Whatever it is, it would fail again and take its delivery along for ever.
            log.exception("webhook_item_failed", kind=kind)
            outcome = await self._quarantine(work, f"failed: {type(error).__name__}")
        self._ports.count(kind, outcome)

    async def _message(self, work: _Work, item: MessageItem) -> str:
        channel = await self._channel(item.phone_number_id)
        if channel is None:
            raise NotUnderstood("a number that is not ours")
        await self._learn_account(channel, item.account_id)
        message, media = to_inbound(item, channel, work.delivery.received_at)
        message = replace(message, traceparent=work.delivery.traceparent)
        committed = await self._ports.conversations.receive_message(message)
        if media is not None:
            # Afterwards, since only now the conversation is known; a crash in between is
            # mended by doing the delivery again.
            file = replace(media, conversation_id=committed.conversation.id)
            await self._ports.media.add(file, now=work.delivery.received_at)
            self._on_media()
        if item.message.get("type") == "system" and not item.is_history:
            await self._learn_new_number(committed, item.message.get("system"))
        await self._ports.announce(committed)
        errors = read_errors(item.message.get("errors"))
        await self._ports.stop_number.after_errors(channel, errors, message.sent_at)
        return "stored" if committed.is_new else "duplicate"

    async def _learn_account(self, channel: Channel, account_id: str) -> None:
        """Keep which account a number belongs to: other news names nothing else."""
        if account_id and account_id != channel.account_id:
            await self._ports.sending.note_facts(channel.id, {"account_id": account_id})
            self._channels.pop(channel.phone_number_id, None)

    async def _learn_new_number(self, committed: Committed, body: object) -> None:
        """A customer who has changed the number stays the same contact; replies go to the new."""
        if not isinstance(body, dict):
            return
        given = body.get("wa_id") or body.get("new_wa_id")
        if isinstance(given, str) and (digits := digits_of(given)):
            conversation = committed.conversation
            await self._ports.contacts.learn_identifier(
                conversation.organization_id, conversation.contact.id, "phone", digits
            )

    async def _status(self, work: _Work, item: StatusItem) -> str:
        channel = await self._channel(item.phone_number_id)
        if channel is None:
            raise NotUnderstood("a number that is not ours")
        report = to_report(item, channel, work.delivery.received_at)
        report = replace(report, traceparent=work.delivery.traceparent)
        errors = read_errors(item.status.get("errors"))
        await self._ports.stop_number.after_errors(channel, errors, report.reported_at)
        if await self._report(report):
            return "applied"
        await self._ports.orphans.put(report)
        # The answer to our request may have become known between the two steps above.
        if not await self._report(report):
            return "orphan"
        named = report.organization_id, str(report.whatsapp_message_id)
        for orphan in await self._ports.orphans.waiting(*named):
            await self._report(orphan)
        await self._ports.orphans.forget(*named)
        return "applied"

    async def _report(self, report: StatusReport) -> bool:
        committed = await self._ports.conversations.report_status(report)
        if committed is None:
            return False
        await self._ports.announce(committed)
        conversation = committed.conversation
        await self._ports.opt_outs.after_error(
            conversation.organization_id,
            conversation.contact.id,
            report.error,
            report.reported_at,
        )
        return True

    async def _quarantine(self, work: _Work, reason: str) -> str:
        delivery = work.delivery
        content = work.item.item if isinstance(work.item, Poison) else _raw(work.item)
        organization = await self._organization(work.item.phone_number_id)
        is_kept_whole = isinstance(content, dict) and len(str(content)) <= QUARANTINED_TEXT
        item = QuarantinedItem(
            id=_item_id(delivery, work.index),
            organization_id=organization,
            reason=reason,
            item=content if is_kept_whole else str(content)[:QUARANTINED_TEXT],
            received_at=delivery.received_at,
        )
        try:
            await self._ports.quarantine.put([item])
        except Unavailable:
            raise
        except Exception:
            # Better without this one than with none that comes after it.
            log.exception("webhook_item_lost", reason=reason, delivery=delivery.id)
        log.warning("webhook_item_quarantined", reason=reason, delivery=delivery.id)
        return "quarantined"

    async def _organization(self, phone_number_id: str) -> OrganizationId | None:
        channel = await self._channel(phone_number_id) if phone_number_id else None
        return channel.organization_id if channel is not None else self._default_organization

    async def _channel(self, phone_number_id: str) -> Channel | None:
        now = asyncio.get_running_loop().time()
        known = self._channels.get(phone_number_id)
        if known is not None and now - known[0] < CHANNEL_MEMORY_SECONDS:
            return known[1]
        channel = await self._ports.channels.channel_by_phone_number_id(phone_number_id)
        if len(self._channels) > 10_000:
            self._channels.clear()  # made-up numbers in deliveries must not fill the memory
        self._channels[phone_number_id] = (now, channel)
        return channel


def _items(delivery: RawDelivery) -> list[tuple[str, Item]]:
    """Return the items with their lanes; a body that our own code fails on is one of poison."""
    try:
        return [(item.lane, item) for item in parse_delivery(delivery.body)]
    except Exception as error:
        log.exception("webhook_delivery_failed", delivery=delivery.id)
        poison = Poison(f"failed: {type(error).__name__}", excerpt(delivery.body))
        return [(poison.lane, poison)]


def _raw(item: MessageItem | StatusItem | ChangeItem) -> Json:
    if isinstance(item, MessageItem):
        return dict(item.message)
    return dict(item.status if isinstance(item, StatusItem) else item.value)


def _item_id(delivery: RawDelivery, index: int) -> str:
    """The same item has the same id however often its delivery is worked."""
    moment: datetime = delivery.received_at
    return str(uuid5(NAMESPACE_URL, f"{delivery.id}/{moment.isoformat()}/{index}"))
