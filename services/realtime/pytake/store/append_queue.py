"""Messages that wait for the same conversation share one commit.

A commit costs the time that the disk needs; one after the other, a busy conversation
would be as slow as that. Whoever's turn comes takes up to sixteen waiting messages along,
each with a number of its own, all in one transaction. A message that is alone is one
statement and one round trip.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import asyncpg

from pytake.application.ports import Clock
from pytake.domain.ids import ConversationId
from pytake.store import fast_append
from pytake.store.engine import Database
from pytake.store.fast_append import Stored, Wanted
from pytake.store.turns import Turns

MAX_TOGETHER = 16


@dataclass(slots=True, eq=False)
class _Waiting:
    wanted: Wanted
    stored: asyncio.Future[Stored | None] = field(default_factory=asyncio.Future)


class AppendQueue:
    """Appends messages on PostgreSQL, in the order of asking for each conversation."""

    def __init__(self, database: Database, turns: Turns, clock: Clock) -> None:
        self._database = database
        self._turns = turns
        self._clock = clock
        self._lines: dict[ConversationId, deque[_Waiting]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def append(self, wanted: Wanted) -> Stored | None:
        """Store a message.

        Returns:
            What was stored; None where nothing was and the reason must be looked for.

        Raises:
            Unavailable: The turn did not come in time, or the database is away.
        """
        me = _Waiting(wanted)
        conversation_id = wanted.message.conversation_id
        line = self._lines.setdefault(conversation_id, deque())
        line.append(me)
        try:
            async with self._turns.turn(conversation_id):
                if not me.stored.done() and me in line:
                    together = [line.popleft() for _ in range(min(MAX_TOGETHER, len(line)))]
                    await self._run(together)
            return await me.stored
        finally:
            me.stored.cancel()  # nobody waits for an answer any more, if there was none
            if me in line:
                line.remove(me)
            if not line:
                self._lines.pop(conversation_id, None)

    async def close(self) -> None:
        """Wait for what is being stored."""
        await asyncio.gather(*self._running)

    async def _run(self, together: list[_Waiting]) -> None:
        """Store them, even if the one that leads gives up: the others did not."""
        task = asyncio.create_task(self._store(together))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.shield(task)

    async def _store(self, together: list[_Waiting]) -> None:
        try:
            results = await self._store_in_one_commit(together)
        except Exception as error:
            for waiting in together:
                _answer(waiting, error)
        else:
            for waiting, result in zip(together, results, strict=True):
                _answer(waiting, result)

    async def _store_in_one_commit(self, together: list[_Waiting]) -> list[Stored | None]:
        wanted = [waiting.wanted for waiting in together]
        try:
            async with self._database.hot() as connection:
                return await fast_append.append(connection, wanted, self._clock())
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError):
            # One of them is there already, or is one that the database does not take, and took
            # the others down with it: each finds out by itself.
            return [None] * len(together)


def _answer(waiting: _Waiting, answer: Stored | Exception | None) -> None:
    if waiting.stored.done():
        return
    if isinstance(answer, Exception):
        waiting.stored.set_exception(answer)
    else:
        waiting.stored.set_result(answer)
