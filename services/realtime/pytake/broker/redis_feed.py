"""What a pod hears over Redis: events of its conversations, and notes to the pod itself.

One connection of its own, which is only ever subscribed: a channel per conversation, one
for the pod, one for its canary, one for the relay's heartbeat. The canary is what tells a
deaf connection from a quiet one: the pod publishes to itself every 2 s over its command
link and listens for it here.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable

import structlog

from pytake.application.ports import FeedListener
from pytake.broker.envelope import CHANNEL_PREFIX, BadEnvelope, channel_of, decode
from pytake.broker.redis_commands import RedisCommands
from pytake.broker.redis_link import BackOff, LinkLost, RedisLink, ReplyError, open_master
from pytake.domain.errors import Unavailable
from pytake.domain.ids import ConversationId
from pytake.transport.redis_address import RedisAddress

log = structlog.get_logger()

CANARY_SECONDS = 2.0
MISSES_TO_RESUBSCRIBE = 3
MISSES_TO_BE_DEAF = 5
HEARTBEAT_CHANNEL = "pytake:heartbeat"
HEARTBEAT_SECONDS = 5.0
BATCH = 500
"""Channels subscribed in one command: thousands at once would stall Redis for all."""

NoteListener = Callable[[str, bytes], None]


class RedisEventFeed:
    """Port `EventFeed`.

    Args:
        address: Where Redis is.
        commands: The process's command link, for the canary.
        pod_id: Whose canary and whose notes.
    """

    def __init__(self, address: RedisAddress, commands: RedisCommands, pod_id: str) -> None:
        self._address = address
        self._commands = commands
        self._canary_channel = f"pytake:canary:{pod_id}"
        self._fixed = [self._canary_channel, HEARTBEAT_CHANNEL]
        self._notes: dict[str, NoteListener] = {}
        self._wanted: set[ConversationId] = set()
        self._link: RedisLink | None = None
        self._back_off = BackOff()
        self._sent: Counter[str] = Counter()
        self._confirmed: Counter[str] = Counter()
        self._waiting: dict[str, deque[tuple[int, asyncio.Future[None]]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._on_event: FeedListener = lambda event: None
        self._on_interrupted: Callable[[], Awaitable[None]] | None = None
        self._on_gossip: NoteListener = lambda channel, body: None
        self.was_up = False
        self.has_heard = False
        self.misses = 0
        self.heard_at = time.monotonic()
        self.heartbeat_at: float | None = None
        self.reconnects = 0
        self.canaries_returned = 0
        self.canaries_missed = 0
        self.relay_heard_at = time.monotonic()
        self._lost_at: float | None = None
        self.on_lag: Callable[[float], None] = lambda seconds: None
        self.on_outage: Callable[[float], None] = lambda seconds: None
        self.on_failure: Callable[[BaseException], None] = lambda error: None

    # --- life -----------------------------------------------------------------------------

    def listen(self, on_event: FeedListener, on_interrupted: Callable[[], Awaitable[None]]) -> None:
        self._on_event = on_event
        self._on_interrupted = on_interrupted

    def listen_to(self, channel: str, listener: NoteListener) -> None:
        """Hear what is published on one more channel; to be named before `start`."""
        self._notes[channel] = listener
        self._fixed.append(channel)

    def listen_to_gossip(self, listener: NoteListener) -> None:
        """Hear what pods tell each other on the channels of conversations."""
        self._on_gossip = listener

    async def start(self) -> None:
        """Begin to connect, in the background."""
        self._tasks = [
            asyncio.create_task(self._keep(), name="redis feed"),
            asyncio.create_task(self._watch(), name="redis canary"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._link is not None:
            self._link.close()

    def renew(self, reason: str) -> None:
        """Drop the connection and make it anew, from the address on."""
        if self._link is not None:
            log.warning("feed is made anew", reason=reason)
            self._link.close()

    # --- health ---------------------------------------------------------------------------

    @property
    def is_healthy(self) -> bool:
        """Connected both ways, and the canary has come back lately."""
        is_connected = self._link is not None and self._commands.is_up
        # One canary is always under way for a moment.
        return is_connected and self.has_heard and self.misses <= 1

    @property
    def is_connected(self) -> bool:
        return self._link is not None

    @property
    def is_deaf(self) -> bool:
        """Redis answers commands, and yet nothing is heard: others should serve."""
        return self._commands.is_up and self.misses >= MISSES_TO_BE_DEAF

    async def _watch(self) -> None:
        """Send a canary every 2 s, and make the feed anew when three stay away."""
        while True:
            await asyncio.sleep(CANARY_SECONDS)
            try:
                await self._commands.call("PUBLISH", self._canary_channel, time.monotonic())
            except (Unavailable, ReplyError):
                continue
            self.canaries_missed += self.misses > 0
            self.misses += 1
            if self.misses % MISSES_TO_RESUBSCRIBE == 0:
                self.renew("the canary stays away")
            self._watch_heartbeat()

    def _watch_heartbeat(self) -> None:
        """After a failover the canary may sing on the old master, where no relay is."""
        if self.heartbeat_at is None:
            return
        if time.monotonic() - self.heartbeat_at > HEARTBEAT_SECONDS:
            self.heartbeat_at = None
            self.renew("no relay is heard")

    # --- subscriptions --------------------------------------------------------------------

    async def subscribe(self, conversation_id: ConversationId, *, timeout: float = 0.5) -> bool:
        self._wanted.add(conversation_id)
        if self._link is None:
            return False
        channel = channel_of(conversation_id)
        ticket = self._send(self._link, "SUBSCRIBE", [channel])
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(channel, deque()).append((ticket, future))
        try:
            async with asyncio.timeout(timeout):
                await future
        except (TimeoutError, LinkLost):
            return False
        return True

    async def unsubscribe(self, conversation_id: ConversationId) -> None:
        self._wanted.discard(conversation_id)
        if self._link is not None:
            self._send(self._link, "UNSUBSCRIBE", [channel_of(conversation_id)])

    @property
    def subscriptions(self) -> int:
        """How many conversations this pod listens to."""
        return len(self._wanted)

    def _send(self, link: RedisLink, command: str, channels: list[str]) -> int:
        """Send, and return which acknowledgement of the (last) channel answers it.

        Acknowledgements are counted: with one future a channel, the answer to an earlier
        subscription would confirm the one after an unsubscription in between.
        """
        for channel in channels:
            self._sent[channel] += 1
        link.write([[command, *channels]])
        return self._sent[channels[-1]]

    def _acknowledged(self, channel: str) -> None:
        self._confirmed[channel] += 1
        if self._confirmed[channel] == self._sent[channel] and channel not in self._waiting:
            del self._confirmed[channel], self._sent[channel]
            return
        waiting = self._waiting.get(channel, deque())
        while waiting and waiting[0][0] <= self._confirmed[channel]:
            future = waiting.popleft()[1]
            if not future.done():
                future.set_result(None)
        if not waiting:
            self._waiting.pop(channel, None)

    # --- the connection -------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            try:
                link = await open_master(self._address)
                await self._serve(link)
            except LinkLost as error:
                self._lost(str(error))
            except Exception as error:
                self._failed("keep the feed", error)
                self._lost(type(error).__name__)
            self.has_heard = False
            await asyncio.sleep(self._back_off.next_seconds())

    async def _serve(self, link: RedisLink) -> None:
        self._sent.clear()
        self._confirmed.clear()
        self._link = link
        self.reconnects += 1
        try:
            channels = [*self._fixed, *map(channel_of, self._wanted)]
            for start in range(0, len(channels), BATCH):
                self._send(link, "SUBSCRIBE", channels[start : start + BATCH])
                await asyncio.sleep(0)
            left = set(channels)
            while True:
                self._take(await link.read(), left)
        except ReplyError as error:
            raise LinkLost(str(error)) from error
        finally:
            self._link = None
            link.close()

    def _lost(self, reason: str) -> None:
        if self.has_heard:
            log.warning("link to redis lost", link="feed", reason=reason)
            self._lost_at = time.monotonic()
        waiting, self._waiting = self._waiting, {}
        for futures in waiting.values():
            for _, future in futures:
                if not future.done():
                    future.set_exception(LinkLost(reason))

    def _take(self, message: list[bytes], left: set[str]) -> None:
        kind = message[0]
        if kind == b"message":
            try:
                self._heard(message[1].decode(), message[2])
            except Exception as error:
                # What one listener cannot bear must not make the pod deaf to all else.
                self._failed("take a message", error)
        elif kind in (b"subscribe", b"unsubscribe"):
            channel = message[1].decode()
            self._acknowledged(channel)
            if left:
                left.discard(channel)
                if not left:
                    self._complete()

    def _complete(self) -> None:
        """Everything is subscribed again: what was published meanwhile is lost.

        Whether anything is heard, only the canary tells.
        """
        if self.was_up and self._on_interrupted is not None:
            log.info("feed is back", conversations=len(self._wanted))
            self._tasks.append(asyncio.ensure_future(self._tell_interrupted(self._on_interrupted)))
            self._tasks = [task for task in self._tasks if not task.done()]
        if self._lost_at is not None:
            self.on_outage(time.monotonic() - self._lost_at)
            self._lost_at = None
        self.was_up = True
        self.has_heard = True

    async def _tell_interrupted(self, listener: Callable[[], Awaitable[None]]) -> None:
        await listener()

    def _failed(self, what: str, error: BaseException) -> None:
        log.error("feed failed", what=what, exc_info=error)
        self.on_failure(error)

    def _heard(self, channel: str, body: bytes) -> None:
        if channel.startswith(CHANNEL_PREFIX):
            self._heard_of_conversation(channel, body)
        elif channel == self._canary_channel:
            self.misses = 0
            self._back_off.success()
            self.heard_at = time.monotonic()
            self.canaries_returned += 1
            self.on_lag(max(0.0, self.heard_at - float(body)))
        elif channel == HEARTBEAT_CHANNEL:
            self.heartbeat_at = self.relay_heard_at = time.monotonic()
        elif (listener := self._notes.get(channel)) is not None:
            listener(channel, body)

    def _heard_of_conversation(self, channel: str, body: bytes) -> None:
        if body.startswith(b'{"viewers"'):
            self._on_gossip(channel.removeprefix(CHANNEL_PREFIX), body)
            return
        try:
            event = decode(body)
        except BadEnvelope as error:
            log.warning("a stranger writes on our channel", reason=str(error))
            return
        self._on_event(event)
