"""The channel alone: a store, the relay's work, and the simulator on the other side."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from cluster.waiting import eventually
from pytake.application.channel_ports import MediaRecord
from pytake.application.ports import Channel, Committed
from pytake.application.show_customer import ShowCustomer
from pytake.broker.memory import MemoryBroker
from pytake.domain.conversation import Conversation
from pytake.domain.ids import ConversationId, MessageId, OrganizationId
from pytake.domain.message import Direction, Message, MessageType, NewMessage, SenderType
from pytake.domain.principal import Principal, Role
from pytake.media.object_store import ObjectStoreMediaFiles
from pytake.observability.metrics import Metrics
from pytake.processes.whatsapp import Timing, build_relay_work, build_webhook
from pytake.settings import load
from pytake.simulator.app import Simulator, SimulatorOptions, open_simulator
from pytake.simulator.customers import PIXEL
from pytake.simulator.faults import Faults
from pytake.store import Store
from pytake.whatsapp.graph import GraphClient
from pytake.whatsapp.media import storage_key
from pytake.whatsapp.pacing import Pacing

AGENT = str(uuid.uuid5(uuid.NAMESPACE_URL, "ana"))
PHONE = "5511987654321"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Bench:
    """Everything that a test of the channel touches."""

    store: Store
    simulator: Simulator
    channel: Channel
    files: ObjectStoreMediaFiles
    announced: list[Committed] = field(default_factory=list)

    @property
    def organization(self) -> OrganizationId:
        return self.channel.organization_id

    @property
    def principal(self) -> Principal:
        return Principal(AGENT, self.organization, Role.ADMIN, now())  # type: ignore[arg-type]

    def customer_writes(self, message: dict[str, Any] | str = "oi", phone: str = PHONE) -> str:
        customer = self.simulator.world.add_customer(phone, "Clara", persona="silent")
        if isinstance(message, str):
            message = {"type": "text", "text": {"body": message}}
        return self.simulator.course.write(customer, message)

    async def conversation(self) -> Conversation:
        """Let the customer write, and return the conversation that comes of it."""
        self.customer_writes()
        (found,) = await eventually(self.conversations, "the customer's conversation")
        return found  # type: ignore[no-any-return]

    async def conversations(self) -> list[Conversation]:
        from pytake.application.ports import ConversationQuery

        page = await self.store.conversations.conversations(self.principal, ConversationQuery())
        return list(page.items)

    async def messages(self, conversation_id: ConversationId) -> list[Message]:
        page = await self.store.conversations.messages(conversation_id, before_seq=None, limit=100)
        return list(page.items)

    async def send(
        self,
        conversation_id: ConversationId,
        content: dict[str, Any] | str = "olá",
        message_type: MessageType = MessageType.TEXT,
    ) -> MessageId:
        """Write to the customer, as POST does after its checks."""
        made = NewMessage(
            id=MessageId(str(uuid.uuid4())),
            conversation_id=conversation_id,
            direction=Direction.OUTBOUND,
            sender_type=SenderType.AGENT,
            sender_id=AGENT,
            message_type=message_type,
            content={"text": content} if isinstance(content, str) else content,
            created_at=now(),
        )
        committed = await self.store.conversations.append_message(self.organization, made)
        assert committed.message is not None
        return committed.message.id

    async def file(self, data: bytes = PIXEL, mime_type: str = "image/png") -> str:
        """Keep a file of an agent, as POST /media does, and return its id."""
        record = MediaRecord(
            id=str(uuid.uuid4()),
            organization_id=self.organization,
            channel_id=None,
            mime_type=mime_type,
            filename="foto.png",
            size=len(data),
            sha256=sha256(data).hexdigest(),
        )
        key = storage_key(record)
        await self.files.put(key, data)
        await self.store.media.add(replace(record, storage_key=key), now=now())
        return record.id

    async def agent_types(self, conversation_id: ConversationId) -> None:
        """Type in a conversation, as a gateway tells it."""
        await ShowCustomer(self.store.signs, now).typing(conversation_id)

    async def message(self, message_id: MessageId) -> Message:
        found = await self.store.conversations.message(self.organization, message_id)
        assert found is not None
        return found

    async def until(
        self,
        message_id: MessageId,
        condition: Callable[[Message], bool],
        what: str,
        within_seconds: float = 15,
    ) -> Message:
        async def holds() -> bool:
            return condition(await self.message(message_id))

        await eventually(holds, what, within_seconds)
        return await self.message(message_id)

    async def until_status(self, message_id: MessageId, status: str) -> Message:
        return await self.until(message_id, lambda m: m.status == status, f"status {status}")

    def accepted(self, message_id: MessageId) -> int:
        """How often WhatsApp took this message."""
        return self.simulator.oracle.times_accepted(message_id)

    def fault(self, **faults: float) -> None:
        """Switch faults on, or off with 0."""
        world = self.simulator.world
        world.faults = world.faults.changed(faults)


class _Silence:
    """Port `RoomNotifier` where nobody listens to lists."""

    async def emit(self, rooms: Sequence[str], event: str, data: Mapping[str, Any]) -> None:
        return None


FAST = Timing(
    unconfirmed_wait=timedelta(seconds=1.5),
    pacing=lambda: Pacing(number_pause=0.05, pair_pause=0.05),
    media_waits=(0.1, 0.2, 0.3),
)


@asynccontextmanager
async def open_bench(
    store: Store,
    folder: Path,
    *,
    timing: Timing = FAST,
    faults: Faults | None = None,
    **options: Any,
) -> AsyncIterator[Bench]:
    """Run the channel with a simulator of its own."""
    settings = load("command", whatsapp_app_secret="app secret", whatsapp_verify_token="verify")
    announced: list[Committed] = []

    async def announce(committed: Committed) -> None:
        announced.append(committed)

    metrics = Metrics("relay")
    wake: list[Callable[[], None]] = []
    webhook = build_webhook(
        settings, store, clock=now, metrics=metrics, on_appended=lambda: wake[0]()
    )
    simulated = SimulatorOptions(
        webhook_url="http://pytake",
        app_secret="app secret",
        access_token="access token",
        verify_token="verify",
        pace=None,
        faults=faults or Faults(),
        sent_after=(0.01, 0.05),
        delivered_after=(0.01, 0.05),
        read_after=(0.01, 0.05),
    )
    organization = await store.users.create_organization("Bench")
    channel = await store.channels.ensure_channel(
        organization,
        name="Number",
        phone_number_id=simulated.phone_number_id,
        access_token=simulated.access_token,
    )
    async with (
        open_simulator(
            replace(simulated, **options), httpx.ASGITransport(webhook.endpoint)
        ) as simulator,
        GraphClient.connect(
            "http://simulator", "v25.0", httpx.ASGITransport(simulator.app), timeout=1.0
        ) as graph,
    ):
        files = ObjectStoreMediaFiles(f"file:{folder / 'media'}")
        relay = build_relay_work(
            store,
            graph=graph,
            files=files,
            publisher=MemoryBroker(),
            notifier=_Silence(),
            announce=announce,
            clock=now,
            metrics=metrics,
            default_organization=organization,
            timing=timing,
        )
        wake.append(relay.wake_webhooks)
        tasks = [asyncio.ensure_future(w()) for w in (webhook.work, simulator.run, *relay.works)]
        try:
            yield Bench(store, simulator, channel, files, announced)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
