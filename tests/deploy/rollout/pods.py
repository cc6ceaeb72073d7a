"""One pod under a kubelet: it becomes ready, is watched, and ends as its orders say."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

import httpx

from cluster.pods import Pod
from deploy.rollout.orders import Orders, Probe


class ManagedPod:
    """A pod from its start to the end of its process."""

    def __init__(self, pod: Pod, orders: Orders, version: str, changed: Callable[[], None]) -> None:
        self.pod = pod
        self.orders = orders
        self.version = version
        self.ready_since: float | None = None
        self.is_leaving = False
        self.was_killed = False
        self.hook_failures: list[str] = []
        self.unready_spells = 0
        self._changed = changed
        self._running = asyncio.create_task(self._run(), name=pod.name)

    @property
    def is_endpoint(self) -> bool:
        """Whether the Service lists it: ready, and not being deleted."""
        return self.ready_since is not None and not self.is_leaving

    @property
    def is_available(self) -> bool:
        """Whether it has been ready for as long as the Deployment asks."""
        if self.ready_since is None or self.is_leaving:
            return False
        return time.monotonic() - self.ready_since >= self.orders.min_ready_seconds

    async def terminate(self) -> None:
        """Delete it: out of the Service, preStop, SIGTERM, and SIGKILL at the end of the grace."""
        began = time.monotonic()
        self.is_leaving = True
        self._changed()
        await self.unwatch()
        if self.orders.pre_stop is not None:
            await self._pre_stop(self.orders.pre_stop)
        self.pod.send_signal(signal.SIGTERM)
        while self.pod.is_running:
            if time.monotonic() - began > self.orders.grace_seconds:
                self.was_killed = True
                self.pod.kill()
            await asyncio.sleep(0.1)
        if not self.was_killed and (status := self.pod.wait(1)) != 0:
            raise AssertionError(f"{self.pod.name} ended with {status}\n{self.pod.last_words()}")

    async def unwatch(self) -> None:
        """Probe it no longer; its process goes on."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def _pre_stop(self, path: str) -> None:
        url = self.pod.inner_address + path
        try:
            async with httpx.AsyncClient(timeout=self.orders.grace_seconds) as client:
                answer = await client.get(url)
        except httpx.HTTPError as error:
            self.hook_failures.append(repr(error))
        else:
            if answer.is_error:
                self.hook_failures.append(f"{path}: {answer.status_code}")

    async def _run(self) -> None:
        await asyncio.to_thread(self.pod.start)
        await self._started(self.orders.startup)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stay_alive(self.orders.liveness))
            group.create_task(self._follow_readiness(self.orders.readiness))

    async def _started(self, probe: Probe) -> None:
        for _ in range(probe.failures):
            await asyncio.sleep(probe.period_seconds)
            # It names its ports in its log.
            if await asyncio.to_thread(self.pod.has_named_ports) and await self._passes(probe):
                return
        raise AssertionError(f"{self.pod.name} does not start\n{self.pod.last_words()}")

    async def _follow_readiness(self, probe: Probe) -> None:
        failures = 0
        while True:
            if await self._passes(probe):
                failures = 0
                if self.ready_since is None:
                    self.ready_since = time.monotonic()
                    self._changed()
            else:
                failures += 1
                if failures >= probe.failures and self.ready_since is not None:
                    self.ready_since = None
                    self.unready_spells += 1
                    self._changed()
            await asyncio.sleep(probe.period_seconds)

    async def _stay_alive(self, probe: Probe) -> None:
        failures = 0
        while True:
            failures = 0 if await self._passes(probe) else failures + 1
            if failures >= probe.failures:
                raise AssertionError(f"{self.pod.name} is not alive\n{self.pod.last_words()}")
            await asyncio.sleep(probe.period_seconds)

    async def _passes(self, probe: Probe) -> bool:
        return await asyncio.to_thread(self.pod.probe, probe.path) == 200

    def check(self) -> None:
        """Raise what went wrong with it."""
        if self._running.done() and not self._running.cancelled():
            self._running.result()
