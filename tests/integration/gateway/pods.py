"""Pods of the gateway as the tests put them together, and what happens in their store."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import jwt
import uvicorn

from cluster.waiting import eventually, scaled
from pytake.application.connection_ports import ConnectionPlaces, EventRates
from pytake.application.mark_read import MarkRead
from pytake.application.ports import (
    Committed,
    ConversationChange,
    EventPublisher,
    StatusReport,
)
from pytake.application.show_customer import ShowCustomer
from pytake.broker.memory import MemoryBroker
from pytake.broker.redis import (
    RedisCommands,
    RedisEventFeed,
    RedisEventPublisher,
    RedisPodSignals,
    RedisViewerBoard,
    parse_address,
)
from pytake.domain.ids import ConversationId, MessageId, OrganizationId, UserId
from pytake.domain.message import Direction, MessageType, NewMessage, SenderType
from pytake.domain.principal import Principal, Role
from pytake.domain.status import MessageStatus
from pytake.gateway.pod import Gateway, Options, Ports, build, new_pod_id
from pytake.limits.memory import MemoryEventRates, MemoryPlaces, MemoryPlaceTable
from pytake.limits.redis import RedisEventRates, RedisPlaces
from pytake.processes.redis_client import ClusterCommands, connect_redis
from pytake.store import Store
from pytake.tokens.rights import PolledRights
from pytake.tokens.verifier import JwtVerifier, TokenRules
from pytake.transport import AsyncRedisManager

SECRET = "a secret of thirty-two bytes or so"
ORGANIZATION = OrganizationId(str(uuid.uuid5(uuid.NAMESPACE_URL, "organization")))
CAP = 3


def now() -> datetime:
    return datetime.now(UTC)


def user_id(name: str) -> UserId:
    return UserId(str(uuid.uuid5(uuid.NAMESPACE_URL, name)))


def sign(claims: dict[str, Any], secret: str = SECRET) -> str:
    return jwt.encode(claims, secret, algorithm="HS256")


@dataclass
class Pod:
    """A pod that serves on a port of its own."""

    gateway: Gateway
    server: uvicorn.Server
    serving: asyncio.Task[None]
    feed: Any
    url: str

    async def stop(self) -> None:
        await self.gateway.stop()
        self.server.should_exit = True
        async with asyncio.timeout(scaled(10)):
            await self.serving

    async def knows(self, sid: str) -> bool:
        return self.gateway.registry.get(sid) is not None


@dataclass
class Cluster:
    """One organization, its store, the exchange between its pods."""

    store: Store
    broker: MemoryBroker
    pods: list[Pod] = field(default_factory=list)
    table: MemoryPlaceTable = field(default_factory=MemoryPlaceTable)
    publisher: EventPublisher | None = None
    publisher_is_up: Callable[[], bool] = lambda: True
    closing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.notifier = SimpleNamespace(emit=self._notify)
        self.show_customer = ShowCustomer(self.store.signs, now)
        self.rights = PolledRights(self.store.rights, now)
        rules = TokenRules(secrets=(SECRET,))
        self.verify = JwtVerifier(rules, rights=self.rights)

    # --- pods -----------------------------------------------------------------------------

    async def pod(
        self,
        options: Options | None = None,
        *,
        rates: EventRates | None = None,
        places: ConnectionPlaces | None = None,
        **ports: Any,
    ) -> Pod:
        """Start one more pod."""
        pod_id = ports.pop("pod_id", None) or new_pod_id()
        feed = ports.pop("feed", None) or self.broker.feed()
        made = Ports(
            verify=self.verify,
            event_log=ports.pop("event_log", self.store.event_log),
            users=self.store.users,
            rights=self.rights,
            rights_refresh=self.rights.load,
            mark_read=MarkRead(
                self.store.conversations,
                self.store.conversations,
                self.notifier,
                self.show_customer.read,
            ),
            show_typing=self.show_customer.typing,
            feed=feed,
            places=places or MemoryPlaces(pod_id, CAP, self.table),
            rates=rates or MemoryEventRates(1000, 5.0),
            signals=ports.pop("signals", None) or self.broker.pod_signals(pod_id),
            viewers=ports.pop("viewers", None) or self.broker.viewer_board(pod_id),
            **ports,
        )
        gateway = build(options or Options(), made, pod_id=pod_id)
        self.rights.listen(gateway.on_rights_change)
        await gateway.start()
        app, serving_options = gateway.asgi()
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
            **serving_options,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        await eventually(lambda: server.started, "the pod serves")
        port = server.servers[0].sockets[0].getsockname()[1]
        pod = Pod(gateway, server, serving, feed, f"http://127.0.0.1:{port}")
        self.pods.append(pod)
        return pod

    async def redis_pod(self, redis_url: str, options: Options | None = None) -> Pod:
        """Start one more pod, which shares everything over a real Redis."""
        address = parse_address(redis_url)
        pod_id = new_pod_id()
        commands = RedisCommands(address)
        await commands.start()
        keyed: Any = commands
        if address.kind == "cluster":
            client = connect_redis(redis_url)
            self.closing.append(client.aclose)
            keyed = ClusterCommands(client)
        feed = RedisEventFeed(address, commands, pod_id)
        places = RedisPlaces(keyed, pod_id, CAP)
        make_manager: Any = AsyncRedisManager
        pod = await self.pod(
            options,
            pod_id=pod_id,
            feed=feed,
            places=places,
            rates=RedisEventRates(keyed, 10, 5.0),
            signals=RedisPodSignals(commands, feed, pod_id),
            viewers=RedisViewerBoard(commands, feed, pod_id, keyed=keyed),
            manager=make_manager(redis_url),
        )
        places.on_shared_again = pod.gateway.upkeep.assert_soon
        pod.gateway.tasks.start(places.run(), "heartbeat of the pod")
        await feed.start()
        self.closing += [feed.stop, commands.stop]
        self.publisher = RedisEventPublisher(commands)
        self.publisher_is_up = lambda: commands.is_up
        await eventually(lambda: feed.is_healthy, "the feed is up")
        return pod

    async def stop(self) -> None:
        for pod in self.pods:
            await pod.stop()
        for close in self.closing:
            await close()

    # --- people ---------------------------------------------------------------------------

    def token(
        self,
        user: str = "ana",
        *,
        role: str = "agent",
        organization: str = ORGANIZATION,
        seconds: float = 3600,
        **more: Any,
    ) -> str:
        expires = now() + timedelta(seconds=seconds)
        claims = {
            "sub": user_id(user),
            "organization_id": organization,
            "role": role,
            "name": user,
            "iat": now(),
            "exp": expires,
        }
        return sign(claims | more)

    async def make_user(self, name: str, role: Role = Role.AGENT) -> UserId:
        """Create the user that tokens of this name speak for."""
        principal = Principal(user_id(name), ORGANIZATION, role, now(), name=name)
        await self.store.users.ensure_principal(principal)
        return principal.user_id

    async def _notify(self, rooms: Sequence[str], event: str, data: Mapping[str, Any]) -> None:
        await self.pods[0].gateway.cluster_rooms.emit(list(rooms), event, data)

    # --- what happens in conversations ----------------------------------------------------

    async def conversation(self, phone: str = "+5511900000001") -> ConversationId:
        """Open a conversation that is assigned to nobody."""
        await self.make_user("ana")
        committed = await self.store.conversations.open_conversation(
            ORGANIZATION,
            contact_name="Clara",
            phone=phone,
            channel_id=None,
            window_expires_at=None,
            now=now(),
        )
        await self._publish(committed)
        return committed.conversation.id

    async def _publish(self, committed: Committed) -> None:
        await (self.publisher or self.broker).publish(committed.events)

    async def store_text(
        self,
        conversation_id: ConversationId,
        text: str = "olá",
        *,
        user: str = "ana",
        media_id: str | None = None,
    ) -> Committed:
        """Store a text, or a picture with a caption, and publish nothing."""
        message = NewMessage(
            id=MessageId(str(uuid.uuid4())),
            conversation_id=conversation_id,
            direction=Direction.OUTBOUND,
            sender_type=SenderType.AGENT,
            sender_id=user_id(user),
            message_type=MessageType.IMAGE if media_id else MessageType.TEXT,
            content={"media_id": media_id, "caption": text} if media_id else {"text": text},
            created_at=now(),
        )
        return await self.store.conversations.append_message(ORGANIZATION, message)

    async def write(
        self, conversation_id: ConversationId, text: str = "olá", **more: Any
    ) -> Committed:
        """Store a text and publish it, as POST does."""
        committed = await self.store_text(conversation_id, text, **more)
        await self._publish(committed)
        return committed

    async def report(self, message_id: MessageId, status: MessageStatus) -> Committed | None:
        """Move a message's status, as a webhook does."""
        report = StatusReport(ORGANIZATION, status, now(), message_id=message_id)
        committed = await self.store.conversations.report_status(report)
        if committed is not None:
            await self._publish(committed)
        return committed

    async def assign(
        self,
        conversation_id: ConversationId,
        to: str | None,
        *,
        expected: str | None = None,
        publish: bool = True,
    ) -> Committed:
        """Assign a conversation, as PATCH does."""
        if to is not None:
            await self.make_user(to)
        change = ConversationChange(
            reassign=True, assigned_to=user_id(to) if to is not None else None
        )
        committed = await self.store.conversations.change_conversation(
            ORGANIZATION,
            conversation_id,
            change,
            expected_assignee=user_id(expected) if expected is not None else None,
            now=now(),
        )
        if publish:
            await self._publish(committed)
        return committed
