"""Turns many small questions to the store into few large ones.

In a storm thousands of joins arrive within milliseconds. A query costs its CPU once,
whether it asks for one conversation or for a thousand: what is asked within 5 ms shares
one, and at most 8 of them are under way, so that a storm cannot take the whole pool.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pytake.application.ports import EventLog, ReplayRequest
from pytake.domain.conversation import Access
from pytake.domain.errors import Unavailable
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId
from pytake.gateway.tasks import Tasks

K = TypeVar("K")
V = TypeVar("V")

WINDOW_SECONDS = 0.005
MAX_KEYS = 1000
MAX_QUERIES = 8
QUERY_SECONDS = 5.0
PAGE = 256

Query = Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]


class Batch(Generic[K, V]):
    """Answers one key at a time from queries that carry many.

    Callers that ask for the same key within the window share the answer. A query that
    fails or takes longer than 5 s fails all who asked, with `Unavailable`.
    """

    def __init__(self, query: Query[K, V], gate: asyncio.Semaphore, tasks: Tasks) -> None:
        self._query = query
        self._gate = gate
        self._tasks = tasks
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, key: K) -> V | None:
        """Return the answer for the key, or None where the query has none.

        Raises:
            Unavailable: The store cannot be asked.
        """
        future = self._waiting.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._waiting[key] = loop.create_future()
            if len(self._waiting) >= MAX_KEYS:
                self._flush()
            elif self._timer is None:
                self._timer = loop.call_later(WINDOW_SECONDS, self._flush)
        # Shielded: one caller that gives up must not take the answer from the others.
        return await asyncio.shield(future)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, {}
        if waiting:
            self._tasks.start(self._ask(waiting), "batched query")

    async def _ask(self, waiting: dict[K, asyncio.Future[V | None]]) -> None:
        try:
            async with self._gate, asyncio.timeout(QUERY_SECONDS):
                answers = await self._query(list(waiting))
        except (Unavailable, TimeoutError) as error:
            _fail(waiting.values(), Unavailable(detail=str(error)))
        except BaseException:
            _fail(waiting.values(), Unavailable())
            raise
        else:
            for key, future in waiting.items():
                if not future.done():
                    future.set_result(answers.get(key))


def _fail(futures: Iterable[asyncio.Future[Any]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
            # Whoever asked may be gone; that is not an error nobody retrieved.
            future.exception()


class Questions:
    """What a pod asks the store about conversations, batched."""

    def __init__(self, log: EventLog, tasks: Tasks) -> None:
        gate = asyncio.Semaphore(MAX_QUERIES)
        self._log = log
        self._access: Batch[ConversationId, Access] = Batch(log.access, gate, tasks)
        self._heads: Batch[ConversationId, int] = Batch(log.heads, gate, tasks)
        self._oldest: Batch[ConversationId, int] = Batch(log.oldest_kept, gate, tasks)
        self._pages: Batch[ReplayRequest, Sequence[ConversationEvent]] = Batch(
            self._replay, gate, tasks
        )

    async def access(self, conversation_id: ConversationId) -> Access | None:
        """Return owner, assignee, versions and head, or None if there is no such one."""
        return await self._access(conversation_id)

    async def head(self, conversation_id: ConversationId) -> int:
        """Return the newest `seq`, 0 where nothing was ever stored."""
        return await self._heads(conversation_id) or 0

    async def oldest_kept(self, conversation_id: ConversationId) -> int | None:
        """Return the lowest `seq` that is still in the log."""
        return await self._oldest(conversation_id)

    async def page(
        self, conversation_id: ConversationId, after_seq: int
    ) -> Sequence[ConversationEvent]:
        """Return the next events after the cursor, at most a page."""
        return await self._pages(ReplayRequest(conversation_id, after_seq, PAGE)) or ()

    async def pages(
        self, cursors: Mapping[ConversationId, int]
    ) -> Mapping[ConversationId, Sequence[ConversationEvent]]:
        """Return a page after each cursor, in one query and without waiting for others."""
        requests = [ReplayRequest(each, after, PAGE) for each, after in cursors.items()]
        async with asyncio.timeout(QUERY_SECONDS):
            return await self._log.replay(requests)

    async def _replay(
        self, requests: Sequence[ReplayRequest]
    ) -> Mapping[ReplayRequest, Sequence[ConversationEvent]]:
        """Ask for many pages; two cursors of one conversation need two queries."""
        answers: dict[ReplayRequest, Sequence[ConversationEvent]] = {}
        left = list(requests)
        while left:
            one_each = {request.conversation_id: request for request in left}
            found = await self._log.replay(list(one_each.values()))
            for request in one_each.values():
                answers[request] = found.get(request.conversation_id, ())
            left = [request for request in left if request not in answers]
        return answers
