"""Owns the background tasks of a pod, so that none is lost and all end with it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger()

AGAIN_SECONDS = 1.0
"""Until a loop that has failed begins anew: what fails each time fails once a second."""


class Tasks:
    """A set of running tasks with one owner.

    A task that fails is logged and counted; it never takes others with it.

    Args:
        on_failure: Told the exception of a task that failed.
    """

    def __init__(self, on_failure: Callable[[BaseException], None] | None = None) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._on_failure = on_failure

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run the coroutine; the task is named after what it does."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(self, loop: Callable[[], Coroutine[Any, Any, None]], name: str) -> asyncio.Task[Any]:
        """Run a loop that never ends by itself; one that fails begins anew after a pause."""
        return self.start(self._keep(loop, name), name)

    async def _keep(self, loop: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        while True:
            try:
                await loop()
            except Exception as error:
                self.failed(name, error)
            await asyncio.sleep(AGAIN_SECONDS)

    def __len__(self) -> int:
        return len(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed(task.get_name(), error)

    def failed(self, name: str, error: BaseException) -> None:
        """Log and count what nobody expected, in a task or in what goes on without one."""
        log.error("task failed", task=name, exc_info=error)
        if self._on_failure is not None:
            self._on_failure(error)

    async def stop(self) -> None:
        """Cancel what runs and wait until it has ended."""
        running = [task for task in self._running if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
