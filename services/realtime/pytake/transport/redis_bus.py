"""Publishing to Redis channels and being subscribed to the right ones, for as long as
it takes.

`Bus` is what the manager needs; `SingleBus` is one Redis (or the master behind
Sentinel), `redis_cluster.ClusterBus` a cluster. Redis promises little here: a message
published while a connection is down is lost. The bus reconnects with full jitter, at
most 5 s apart, subscribes again to everything wanted, and says that there was a gap.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Protocol

import hiredis

from pytake.transport.redis_address import RedisAddress
from pytake.transport.redis_keeper import LinkKeeper, Resolve
from pytake.transport.redis_link import RedisLink

SUBSCRIBE_BATCH = 500

OnMessage = Callable[[bytes, bytes], None]


class Bus(Protocol):
    """Channels shared by the pods.

    Attributes:
        on_message: Called with channel and payload.
        on_gap: Called when subscriptions are complete again after an interruption.
    """

    on_message: OnMessage
    on_gap: Callable[[], None]

    def start(self, always: list[bytes]) -> None:
        """Connect, and keep these plain channels subscribed."""

    async def stop(self) -> None: ...

    async def publish(self, channel: bytes, payload: bytes, *, plain: bool = False) -> bool:
        """Publish; False if there is no connection. `plain` channels are those of
        `start`, which stock processes know; others may be sharded over a cluster."""

    def want(self, channel: bytes) -> None: ...

    def unwant(self, channel: bytes) -> None: ...

    def is_confirmed(self, channel: bytes) -> bool: ...

    async def wait_confirmed(self, channel: bytes, seconds: float) -> bool: ...


class _Channel:
    """A wanted channel: how many commands about it were sent, and how many answered.

    Counting is what makes "subscribe, unsubscribe, subscribe" right: the first answer
    does not confirm the second subscription.
    """

    __slots__ = ("answered", "sent", "waiters", "wanted")

    def __init__(self) -> None:
        self.wanted = False
        self.sent = 0
        self.answered = 0
        self.waiters: list[asyncio.Future[None]] = []

    @property
    def confirmed(self) -> bool:
        return self.wanted and self.sent > 0 and self.sent == self.answered


class Subscriber:
    """A link on which channels are subscribed, again after every reconnect.

    Args:
        resolve: Says where to connect.
        on_message: Receives channel and payload.
        sharded: SSUBSCRIBE instead of SUBSCRIBE.
        on_refused: Called when the server refuses a channel or takes one away, as a
            cluster does when a slot moves.
    """

    def __init__(
        self,
        name: str,
        resolve: Resolve,
        on_message: OnMessage,
        *,
        sharded: bool = False,
        on_refused: Callable[[], None] | None = None,
        on_gap: Callable[[], None] | None = None,
    ) -> None:
        self.keeper = LinkKeeper(name, resolve, on_open=self._open, on_push=self._take)
        self._channels: dict[bytes, _Channel] = {}
        self._outbox: dict[bytes, bool] = {}
        self._on_message = on_message
        self._on_refused = on_refused
        self._on_gap = on_gap
        self._opened_before = False
        # What is not subscribed again since the connection was lost.
        self._missing: set[bytes] = set()
        # A cluster refuses a command whose channels lie in several slots.
        self._batch = 1 if sharded else SUBSCRIBE_BATCH
        prefix = b"S" if sharded else b""
        self._subscribe, self._unsubscribe = prefix + b"SUBSCRIBE", prefix + b"UNSUBSCRIBE"
        self._kinds = {
            prefix.lower() + b"message": self._message,
            prefix.lower() + b"subscribe": self._answer,
            prefix.lower() + b"unsubscribe": self._answer,
        }

    @property
    def channels(self) -> list[bytes]:
        """The channels that are wanted here."""
        return [name for name, channel in self._channels.items() if channel.wanted]

    def want(self, name: bytes) -> None:
        channel = self._channels.setdefault(name, _Channel())
        if not channel.wanted:
            channel.wanted = True
            self._queue(name, subscribe=True)

    def unwant(self, name: bytes) -> None:
        channel = self._channels.get(name)
        if channel is not None and channel.wanted:
            channel.wanted = False
            self._queue(name, subscribe=False)
            if self.keeper.link is not None:
                # A cluster answers MOVED if its slot is elsewhere: no answer counts it off.
                self._found(name)

    def is_confirmed(self, name: bytes) -> bool:
        channel = self._channels.get(name)
        return self.keeper.link is not None and channel is not None and channel.confirmed

    async def wait_confirmed(self, name: bytes, seconds: float) -> bool:
        channel = self._channels.get(name)
        if channel is None or self.is_confirmed(name):
            return channel is not None
        future = asyncio.get_running_loop().create_future()
        channel.waiters.append(future)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        finally:
            with contextlib.suppress(ValueError):
                channel.waiters.remove(future)
            self._forget_if_left(name)
        return True

    def _queue(self, name: bytes, *, subscribe: bool) -> None:
        """Send it with all others of this turn of the loop."""
        if self.keeper.link is None:
            if not subscribe:
                self._forget(name)
            return
        if not self._outbox:
            asyncio.get_running_loop().call_soon(self._flush)
        # The last word counts: what was wanted and is not any more needs no command.
        self._outbox[name] = subscribe

    def _flush(self) -> None:
        outbox, self._outbox = self._outbox, {}
        if self.keeper.link is None:
            return
        for wanted, command in ((True, self._subscribe), (False, self._unsubscribe)):
            names = [name for name, subscribe in outbox.items() if subscribe is wanted]
            self._send(self.keeper.link, command, names)

    def _send(self, link: RedisLink, command: bytes, names: list[bytes]) -> None:
        for name in names:
            self._channels.setdefault(name, _Channel()).sent += 1
        for start in range(0, len(names), self._batch):
            try:
                link.send(command, *names[start : start + self._batch], expect_reply=False)
            except OSError:
                return

    def _open(self, link: RedisLink) -> None:
        self._outbox.clear()
        for name in list(self._channels):
            channel = self._channels[name]
            channel.sent = channel.answered = 0
            if not channel.wanted:
                self._forget(name)
        self._send(link, self._subscribe, self.channels)
        if self._opened_before:
            # Anew: what was left while the link was down will not be answered.
            self._missing = set(self.channels)
        self._opened_before = True

    def _take(self, reply: Any) -> None:
        if isinstance(reply, list):
            kind = self._kinds.get(reply[0])
            if kind is not None:
                kind(reply)
        elif isinstance(reply, hiredis.ReplyError) and self._on_refused is not None:
            self._on_refused()

    def _message(self, reply: list[Any]) -> None:
        self._on_message(reply[1], reply[2])

    def _answer(self, reply: list[Any]) -> None:
        channel = self._channels.get(reply[1])
        if channel is None:
            return
        if channel.answered >= channel.sent:
            # Nobody asked: the server took the channel away.
            channel.sent = channel.answered = 0
            if self._on_refused is not None:
                self._on_refused()
            return
        channel.answered += 1
        self._found(reply[1])
        if channel.confirmed:
            for waiter in channel.waiters:
                if not waiter.done():
                    waiter.set_result(None)
            channel.waiters.clear()
        elif not channel.wanted and channel.answered == channel.sent:
            self._forget(reply[1])

    def _found(self, name: bytes) -> None:
        """Nothing is to be waited for any more after the loss of the connection."""
        if name in self._missing:
            self._missing.discard(name)
            if not self._missing and self._on_gap is not None:
                self._on_gap()

    def _forget(self, name: bytes) -> None:
        channel = self._channels.get(name)
        if channel is not None and not channel.waiters:
            del self._channels[name]

    def _forget_if_left(self, name: bytes) -> None:
        """Forget it now if it stayed only because somebody was waiting for it."""
        channel = self._channels.get(name)
        if channel is None or channel.wanted:
            return
        if self.keeper.link is None or channel.sent == channel.answered:
            self._forget(name)

    def retry(self) -> None:
        """Ask again for what is wanted but not confirmed."""
        link = self.keeper.link
        if link is not None:
            missing = [
                name
                for name, channel in self._channels.items()
                if channel.wanted and not channel.confirmed and name not in self._outbox
            ]
            for name in missing:
                self._channels[name].sent = self._channels[name].answered = 0
            self._send(link, self._subscribe, missing)


class SingleBus:
    """One Redis server, or the master that Sentinel names."""

    def __init__(self, address: RedisAddress) -> None:
        self.on_message: OnMessage = lambda channel, payload: None
        self.on_gap: Callable[[], None] = lambda: None
        self._behind_sentinel = address.kind == "sentinel"
        self._commands = LinkKeeper(
            "publishing",
            address.master,
            master_only=self._behind_sentinel,
            on_open=self._reconnected,
        )
        self._subscriber = Subscriber(
            "subscriptions",
            address.master,
            lambda channel, payload: self.on_message(channel, payload),
            on_gap=lambda: self.on_gap(),
        )
        self._connected_before = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, always: list[bytes]) -> None:
        for channel in always:
            self._subscriber.want(channel)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._commands.run())]
        if always:
            self._tasks.append(loop.create_task(self._subscriber.keeper.run()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def _reconnected(self, link: RedisLink) -> None:
        """After a failover the subscription may still hang on the old master: let it
        find the new one as well."""
        if self._connected_before and self._behind_sentinel:
            self._subscriber.keeper.drop()
        self._connected_before = True

    async def publish(self, channel: bytes, payload: bytes, *, plain: bool = False) -> bool:
        link = self._commands.link
        if link is None:
            if not await self._commands.opened(0.5):
                return False
            link = self._commands.link
        if link is None:
            return False
        try:
            await link.writable()
            link.send(b"PUBLISH", channel, payload)
        except OSError:
            return False
        return True

    def want(self, channel: bytes) -> None:
        self._subscriber.want(channel)

    def unwant(self, channel: bytes) -> None:
        self._subscriber.unwant(channel)

    def is_confirmed(self, channel: bytes) -> bool:
        return self._subscriber.is_confirmed(channel)

    async def wait_confirmed(self, channel: bytes, seconds: float) -> bool:
        return await self._subscriber.wait_confirmed(channel, seconds)
