"""Publishes durable events, in order, over the process's command link."""

from collections.abc import Sequence

from pytake.broker.envelope import channel_of, encode
from pytake.broker.redis_commands import RedisCommands
from pytake.broker.redis_feed import HEARTBEAT_CHANNEL
from pytake.broker.redis_link import ReplyError
from pytake.domain.errors import Unavailable
from pytake.domain.events import ConversationEvent


class RedisEventPublisher:
    """Port `EventPublisher`.

    Args:
        commands: The only command link of the process: its order is the order of events.
    """

    def __init__(self, commands: RedisCommands) -> None:
        self._commands = commands

    async def publish(self, events: Sequence[ConversationEvent]) -> None:
        """Publish in order, as one pipeline.

        Raises:
            Unavailable: Redis did not take them within its deadline, or is known to be
                away; the relay publishes them later.
        """
        if not events:
            return
        replies = await self._commands.calls(
            [["PUBLISH", channel_of(event.conversation_id), encode(event)] for event in events]
        )
        for reply in replies:
            if isinstance(reply, ReplyError):
                raise Unavailable(detail=str(reply))

    async def beat(self) -> None:
        """Publish the relay's heartbeat, by which pods know that they hear the cluster.

        Raises:
            Unavailable: As `publish`.
        """
        await self._commands.call("PUBLISH", HEARTBEAT_CHANNEL, "1")
