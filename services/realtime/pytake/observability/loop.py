"""Watches what stops the whole process: a busy event loop and the garbage collector."""

import asyncio
import gc
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytake.observability.metrics import Metrics

SAMPLE_SECONDS = 0.1
SAMPLES_A_COUNT = 10


async def watch_loop(metrics: Metrics) -> None:
    """Observe how late a timer fires, ten times a second, until cancelled.

    Tasks are counted once a second: a number that only rises is a leak.
    """
    lag = metrics.event_loop_lag_seconds.cell()
    tasks = metrics.event_loop_tasks.cell()
    loop = asyncio.get_running_loop()
    for sample in itertools.count():
        if sample % SAMPLES_A_COUNT == 0:
            tasks.set(len(asyncio.all_tasks(loop)))
        due = loop.time() + SAMPLE_SECONDS
        await asyncio.sleep(SAMPLE_SECONDS)
        lag.observe(max(0.0, loop.time() - due))


@contextmanager
def watch_garbage_collector(metrics: Metrics) -> Iterator[None]:
    """Observe every collection while inside."""
    cells = [metrics.gc_pause_seconds.cell(str(generation)) for generation in range(3)]
    started = 0.0

    def on_collection(phase: str, info: dict[str, Any]) -> None:
        nonlocal started
        if phase == "start":
            started = time.perf_counter()
        else:
            cells[info["generation"]].observe(time.perf_counter() - started)

    gc.callbacks.append(on_collection)
    try:
        yield
    finally:
        gc.callbacks.remove(on_collection)
