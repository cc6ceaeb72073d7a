"""Channels on a Redis Cluster, with sharded pub/sub (Redis 7).

A plain PUBLISH in a cluster is sent to every node. A sharded one stays on the node that
owns the slot of the channel's name, so the cluster carries as many events as it has
masters for. The slots may move: the bus learns the new map from the error of a command,
from a subscription that is taken away, and once in a while, and moves its subscriptions.
"""

import asyncio
import binascii
import logging
from collections.abc import Callable

import hiredis

from pytake.transport.redis_address import RedisAddress
from pytake.transport.redis_bus import OnMessage, Subscriber
from pytake.transport.redis_keeper import LinkKeeper
from pytake.transport.redis_link import LinkLost, RedisLink, Server

logger = logging.getLogger("pytake.transport")

SLOTS = 16384
REFRESH_SECONDS = 5.0
# After a hint that slots moved: long enough for the nodes to agree among themselves.
HINT_SECONDS = 0.1

# A node that hangs takes connections: the next one is asked after this time.
ASK_SECONDS = 2.0

Place = tuple[str, int]
Masters = dict[Place, list[tuple[int, int]]]


def slot_of(channel: bytes) -> int:
    """Return the slot of a channel; only what is in {braces} counts, if anything is."""
    start = channel.find(b"{")
    if start >= 0:
        end = channel.find(b"}", start + 1)
        if end > start + 1:
            channel = channel[start + 1 : end]
    return binascii.crc_hqx(channel, 0) % SLOTS


class _Node:
    """A master: one link for commands, one for sharded subscriptions."""

    def __init__(self, server: Server, bus: "ClusterBus") -> None:
        async def resolve() -> Server:
            return server

        name = f"{server.host}:{server.port}"
        self.commands = LinkKeeper(name, resolve)
        self.subscriber = Subscriber(
            name,
            resolve,
            lambda channel, payload: bus.on_message(channel, payload),
            sharded=True,
            on_refused=bus.hint,
            on_gap=lambda: bus.on_gap(),
        )
        loop = asyncio.get_running_loop()
        self.tasks = [
            loop.create_task(self.commands.run()),
            loop.create_task(self.subscriber.keeper.run()),
        ]

    def stop(self) -> None:
        for task in self.tasks:
            task.cancel()


class ClusterBus:
    """A Redis Cluster."""

    def __init__(self, address: RedisAddress) -> None:
        self.on_message: OnMessage = lambda channel, payload: None
        self.on_gap: Callable[[], None] = lambda: None
        self._address = address
        self._wanted: set[bytes] = set()
        self._nodes: dict[Place, _Node] = {}
        self._owners: list[Place | None] = [None] * SLOTS
        self._known = asyncio.Event()
        self._hint = asyncio.Event()
        # Stock processes publish plainly; any node passes that on.
        self._plain = Subscriber(
            "the stock channel",
            self._any_server,
            lambda channel, payload: self.on_message(channel, payload),
        )
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, always: list[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._follow())]
        for channel in always:
            self._plain.want(channel)
        if always:
            self._tasks.append(loop.create_task(self._plain.keeper.run()))

    async def stop(self) -> None:
        tasks = [*self._tasks]
        for node in self._nodes.values():
            tasks += node.tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._nodes.clear()
        self._tasks = []

    # --- Channels ----------------------------------------------------------------------

    async def publish(self, channel: bytes, payload: bytes, *, plain: bool = False) -> bool:
        command = b"PUBLISH" if plain else b"SPUBLISH"
        for _ in range(3):
            node = await self._owner(channel)
            link = node.commands.link if node is not None else None
            if link is None and node is not None and await node.commands.opened(0.5):
                link = node.commands.link
            if link is None:
                self.hint()
                await asyncio.sleep(HINT_SECONDS)
                continue
            try:
                await link.writable()
                await link.call(command, channel, payload)
            except hiredis.ReplyError:
                # MOVED, or the cluster is being rearranged.
                self.hint()
                await asyncio.sleep(HINT_SECONDS)
            except LinkLost:
                self.hint()
            else:
                return True
        return False

    async def _owner(self, channel: bytes) -> _Node | None:
        try:
            async with asyncio.timeout(1.0):
                await self._known.wait()
        except TimeoutError:
            return None
        place = self._owners[slot_of(channel)]
        return self._nodes.get(place) if place is not None else None

    def want(self, channel: bytes) -> None:
        self._wanted.add(channel)
        node = self._node(channel)
        if node is not None:
            node.subscriber.want(channel)

    def unwant(self, channel: bytes) -> None:
        self._wanted.discard(channel)
        for node in self._nodes.values():
            node.subscriber.unwant(channel)

    def is_confirmed(self, channel: bytes) -> bool:
        node = self._node(channel)
        return node is not None and node.subscriber.is_confirmed(channel)

    async def wait_confirmed(self, channel: bytes, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            node = self._node(channel)
            # In slices, since the slot may move to another node meanwhile.
            if node is None:
                await asyncio.sleep(min(left, HINT_SECONDS))
            elif await node.subscriber.wait_confirmed(channel, min(left, HINT_SECONDS)):
                return True
        return False

    def _node(self, channel: bytes) -> _Node | None:
        place = self._owners[slot_of(channel)]
        return self._nodes.get(place) if place is not None else None

    # --- The map of the slots ------------------------------------------------------------

    def hint(self) -> None:
        """Something suggests that slots moved: look soon."""
        self._hint.set()

    async def _follow(self) -> None:
        while True:
            self._hint.clear()
            try:
                self._arrange(await self._ask())
            except (OSError, hiredis.ReplyError) as error:
                logger.warning("cannot read the map of the Redis Cluster: %s", error)
                await asyncio.sleep(HINT_SECONDS * 5)
                continue
            except Exception:
                # Nobody awaits this task: were it to end, the pod would know an old map for ever.
                logger.exception("the map of the Redis Cluster makes no sense")
                await asyncio.sleep(REFRESH_SECONDS)
                continue
            try:
                async with asyncio.timeout(REFRESH_SECONDS):
                    await self._hint.wait()
                await asyncio.sleep(HINT_SECONDS)
            except TimeoutError:
                continue

    async def _ask(self) -> Masters:
        """Return the masters and their ranges of slots, from the first node that tells them."""
        for server in self._candidates():
            try:
                masters = await _masters_of(server)
            except (OSError, TimeoutError, hiredis.ReplyError):
                continue
            if masters:
                return masters
        raise LinkLost("no node of the cluster answers")

    def _candidates(self) -> list[Server]:
        return [self._address.server(place) for place in (*self._nodes, *self._address.nodes)]

    async def _any_server(self) -> Server:
        await self._known.wait()
        for place, node in self._nodes.items():
            if node.commands.link is not None:
                return self._address.server(place)
        raise LinkLost("no node of the cluster is connected")

    def _arrange(self, masters: Masters) -> None:
        """Connect to these masters and move the subscriptions to where they belong."""
        for place in list(self._nodes):
            if place not in masters:
                self._nodes.pop(place).stop()
        for place in masters:
            if place not in self._nodes:
                self._nodes[place] = _Node(self._address.server(place), self)
        self._owners = [None] * SLOTS
        for place, ranges in masters.items():
            for first, last in ranges:
                self._owners[first : last + 1] = [place] * (last + 1 - first)
        self._known.set()
        for place, node in self._nodes.items():
            for channel in node.subscriber.channels:
                if self._owners[slot_of(channel)] != place:
                    node.subscriber.unwant(channel)
            node.subscriber.retry()
        for channel in self._wanted:
            owner = self._node(channel)
            if owner is not None:
                owner.subscriber.want(channel)


async def _masters_of(server: Server) -> Masters:
    """Return the map as one node tells it."""
    link = await RedisLink.open(server)
    try:
        async with asyncio.timeout(ASK_SECONDS):
            reply = await link.call("CLUSTER", "SLOTS")
    finally:
        link.close()
    masters: Masters = {}
    for first, last, master, *_ in reply:
        # A node that does not know or tell its host is where it was asked.
        host = master[0].decode() if master[0] else server.host
        masters.setdefault((host, int(master[1])), []).append((first, last))
    return masters
