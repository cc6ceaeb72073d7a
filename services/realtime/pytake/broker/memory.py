"""Everything that pods share, inside one process: for `pytake dev` and for tests.

The same ports as over Redis, with the same promises and none of the failures. What is
published is handed over in the next turn of the loop, never inside the publisher's call:
code that works here must not rely on having been heard at once.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pytake.application.connection_ports import (
    CloseOrder,
    PodId,
    Viewer,
    ViewersChanged,
)
from pytake.application.ports import FeedListener
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId, UserId


class MemoryBroker:
    """The exchange of one process; pods in it are told apart by their ids.

    Also an `EventPublisher`.
    """

    def __init__(self) -> None:
        self.feeds: list[MemoryEventFeed] = []
        self.signals: dict[PodId, MemoryPodSignals] = {}
        self.boards: dict[PodId, MemoryViewerBoard] = {}

    async def publish(self, events: Sequence[ConversationEvent]) -> None:
        """Hand events to every feed that has subscribed, in order."""
        loop = asyncio.get_running_loop()
        for event in events:
            for feed in self.feeds:
                if event.conversation_id in feed.subscribed:
                    loop.call_soon(feed.receive, event)

    def feed(self) -> "MemoryEventFeed":
        """Return the ears of one pod."""
        feed = MemoryEventFeed(self)
        self.feeds.append(feed)
        return feed

    def pod_signals(self, pod_id: PodId) -> "MemoryPodSignals":
        return self.signals.setdefault(pod_id, MemoryPodSignals(self, pod_id))

    def viewer_board(self, pod_id: PodId) -> "MemoryViewerBoard":
        return self.boards.setdefault(pod_id, MemoryViewerBoard(self, pod_id))


class MemoryEventFeed:
    """Port `EventFeed`. A test may make it lose events (`is_deaf`)."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self.subscribed: set[ConversationId] = set()
        self.is_deaf = False
        self._on_event: FeedListener = lambda event: None
        self._on_interrupted: Callable[[], Awaitable[None]] | None = None

    def listen(self, on_event: FeedListener, on_interrupted: Callable[[], Awaitable[None]]) -> None:
        self._on_event = on_event
        self._on_interrupted = on_interrupted

    async def subscribe(self, conversation_id: ConversationId, *, timeout: float = 0.5) -> bool:
        self.subscribed.add(conversation_id)
        return True

    async def unsubscribe(self, conversation_id: ConversationId) -> None:
        self.subscribed.discard(conversation_id)

    @property
    def is_healthy(self) -> bool:
        return True

    def receive(self, event: ConversationEvent) -> None:
        if not self.is_deaf and event.conversation_id in self.subscribed:
            self._on_event(event)

    async def interrupt(self) -> None:
        """Behave as if the link had been away and came back."""
        if self._on_interrupted is not None:
            await self._on_interrupted()


class MemoryPodSignals:
    """Port `PodSignals`."""

    def __init__(self, broker: MemoryBroker, pod_id: PodId) -> None:
        self._broker = broker
        self._pod_id = pod_id
        self._on_close: Callable[[CloseOrder], None] = lambda order: None
        self._on_share: Callable[[UserId, PodId], None] = lambda user_id, pod_id: None

    def listen(
        self,
        on_close: Callable[[CloseOrder], None],
        on_share: Callable[[UserId, PodId], None],
    ) -> None:
        self._on_close = on_close
        self._on_share = on_share

    async def share(self, pod_id: PodId, user_id: UserId) -> None:
        if (there := self._broker.signals.get(pod_id)) is not None:
            asyncio.get_running_loop().call_soon(there._on_share, user_id, self._pod_id)

    async def close(self, pod_id: PodId, order: CloseOrder) -> None:
        if (there := self._broker.signals.get(pod_id)) is not None:
            asyncio.get_running_loop().call_soon(there._on_close, order)


class MemoryViewerBoard:
    """Port `ViewerBoard`."""

    def __init__(self, broker: MemoryBroker, pod_id: PodId) -> None:
        self._broker = broker
        self._pod_id = pod_id
        self._mine: dict[ConversationId, tuple[Viewer, ...]] = defaultdict(tuple)
        self._on_change: ViewersChanged = lambda conversation_id, pod_id, viewers: None

    def listen(self, on_change: ViewersChanged) -> None:
        self._on_change = on_change

    async def show(self, conversation_id: ConversationId, mine: Sequence[Viewer]) -> None:
        self._mine[conversation_id] = tuple(mine)
        loop = asyncio.get_running_loop()
        for pod_id, board in self._broker.boards.items():
            if pod_id != self._pod_id:
                loop.call_soon(board._on_change, conversation_id, self._pod_id, tuple(mine))

    async def others(self, conversation_id: ConversationId) -> Mapping[PodId, Sequence[Viewer]]:
        return {
            pod_id: board._mine[conversation_id]
            for pod_id, board in self._broker.boards.items()
            if pod_id != self._pod_id and board._mine.get(conversation_id)
        }
