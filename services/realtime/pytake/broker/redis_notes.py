"""What pods tell each other beside events: close this connection, these are my viewers."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import orjson

from pytake.application.connection_ports import (
    CloseOrder,
    PodId,
    Viewer,
    ViewersChanged,
)
from pytake.broker.envelope import channel_of
from pytake.broker.redis_commands import RedisCommands
from pytake.broker.redis_feed import RedisEventFeed
from pytake.broker.redis_link import Command, ReplyError
from pytake.domain.errors import ErrorCode, Unavailable
from pytake.domain.ids import ConnectionId, ConversationId, UserId

VIEWERS_SECONDS = 45
"""After which the viewers of a pod that says nothing any more are forgotten."""

_KEEP = """
if ARGV[2] == '' then
  redis.call('DEL', KEYS[2])
  redis.call('SREM', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
  redis.call('SADD', KEYS[1], ARGV[1])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
"""


def _pod_channel(pod_id: PodId) -> str:
    return f"pytake:pod:{pod_id}"


class RedisPodSignals:
    """Port `PodSignals`: a channel for each pod."""

    def __init__(self, commands: RedisCommands, feed: RedisEventFeed, pod_id: PodId) -> None:
        self._commands = commands
        self._pod_id = pod_id
        self._on_close: Callable[[CloseOrder], None] = lambda order: None
        self._on_share: Callable[[UserId, PodId], None] = lambda user_id, pod_id: None
        feed.listen_to(_pod_channel(pod_id), self._heard)

    def listen(
        self,
        on_close: Callable[[CloseOrder], None],
        on_share: Callable[[UserId, PodId], None],
    ) -> None:
        self._on_close = on_close
        self._on_share = on_share

    async def share(self, pod_id: PodId, user_id: UserId) -> None:
        await self._send(pod_id, {"share": user_id, "pod": self._pod_id})

    async def close(self, pod_id: PodId, order: CloseOrder) -> None:
        note = {
            "close": order.connection_id,
            "user": order.user_id,
            "code": order.code.value,
            "joined": order.has_joined,
            "organization": order.organization_id,
        }
        await self._send(pod_id, note)

    async def _send(self, pod_id: PodId, note: Mapping[str, object]) -> None:
        try:
            await self._commands.call("PUBLISH", _pod_channel(pod_id), orjson.dumps(note))
        except (Unavailable, ReplyError):
            # The next assertion of places, at most 10 s later, says the same.
            return

    def _heard(self, channel: str, body: bytes) -> None:
        try:
            note = orjson.loads(body)
            if "share" in note:
                self._on_share(UserId(note["share"]), str(note["pod"]))
                return
            order = CloseOrder(
                ConnectionId(note["close"]),
                UserId(note["user"]),
                ErrorCode(note["code"]),
                has_joined=bool(note.get("joined")),
                organization_id=note.get("organization"),
            )
        except (ValueError, KeyError, TypeError):
            return
        self._on_close(order)


class KeyedCommands(Protocol):
    """What reaches the server of a key: of one server its link, of a cluster a client."""

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies; refusals of Redis are exceptions among them.

        Raises:
            Unavailable: Redis is away.
        """
        ...


class RedisViewerBoard:
    """Port `ViewerBoard`: a key for each conversation and pod, and gossip on its channel.

    Args:
        commands: The process's command link, for the gossip: any node spreads it.
        keyed: What reaches the keys.
        pod_id: Whose viewers are shown.
    """

    def __init__(
        self,
        commands: RedisCommands,
        feed: RedisEventFeed,
        pod_id: PodId,
        *,
        keyed: KeyedCommands,
    ) -> None:
        self._commands = commands
        self._keyed = keyed
        self._pod_id = pod_id
        self._on_change: ViewersChanged = lambda conversation_id, pod_id, viewers: None
        feed.listen_to_gossip(self._heard)

    def listen(self, on_change: ViewersChanged) -> None:
        self._on_change = on_change

    async def show(self, conversation_id: ConversationId, mine: Sequence[Viewer]) -> None:
        viewers = [[viewer.user_id, viewer.name] for viewer in mine]
        body = orjson.dumps({"viewers": viewers, "pod": self._pod_id})
        key = _key(conversation_id)
        kept = body if viewers else b""
        keys = [key, f"{key}:{self._pod_id}"]
        with suppress(Unavailable):
            # Kept before it is told: who comes later reads what he did not hear.
            await self._ask(["EVAL", _KEEP, 2, *keys, self._pod_id, kept, VIEWERS_SECONDS])
        with suppress(Unavailable, ReplyError):
            await self._commands.call("PUBLISH", channel_of(conversation_id), body)

    async def others(
        self, conversation_id: ConversationId
    ) -> Mapping[PodId, Sequence[Viewer]] | None:
        key = _key(conversation_id)
        try:
            pods = [pod.decode() for pod in await self._ask(["SMEMBERS", key])]
            pods = [pod for pod in pods if pod != self._pod_id]
            bodies = await self._ask(["MGET", *(f"{key}:{pod}" for pod in pods)]) if pods else []
        except Unavailable:
            return None
        return {
            pod: _viewers(orjson.loads(body))
            for pod, body in zip(pods, bodies, strict=True)
            if body is not None
        }

    async def _ask(self, command: Command) -> Any:
        """Return the reply of the server that has the key.

        Raises:
            Unavailable: It is away, or refused.
        """
        reply = (await self._keyed.calls([command]))[0]
        if isinstance(reply, Exception):
            raise Unavailable(detail=str(reply))
        return reply

    def _heard(self, conversation_id: str, body: bytes) -> None:
        try:
            note = orjson.loads(body)
            pod_id, viewers = str(note["pod"]), _viewers(note)
        except (ValueError, KeyError, TypeError):
            return
        if pod_id != self._pod_id:
            self._on_change(ConversationId(conversation_id), pod_id, viewers)


def _key(conversation_id: str) -> str:
    return f"pytake:{{viewers:{conversation_id}}}"


def _viewers(note: dict[str, list[list[str]]]) -> tuple[Viewer, ...]:
    return tuple(Viewer(UserId(user_id), name) for user_id, name in note["viewers"])
