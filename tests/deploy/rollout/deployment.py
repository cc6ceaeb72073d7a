"""Keeps a number of pods of one version, and replaces them by the strategy of the chart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cluster.waiting import eventually
from deploy.rollout.orders import Orders
from deploy.rollout.pods import ManagedPod

PROGRESS_SECONDS = 600.0

MakePod = Callable[[Orders, str], ManagedPod]


class Deployment:
    """One Deployment. It starts a new pod before an old one goes (`maxUnavailable: 0`)."""

    def __init__(self, orders: Orders, make_pod: MakePod) -> None:
        self.orders = orders
        self.replicas = orders.replicas
        self.pods: list[ManagedPod] = []
        self.gone: list[ManagedPod] = []
        self._make_pod = make_pod
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def living(self) -> list[ManagedPod]:
        return [pod for pod in self.pods if not pod.is_leaving]

    async def roll_to(self, version: str) -> None:
        """Replace what is of another version; return when the last old pod has ended.

        Raises:
            AssertionError: A pod did not start, died, or ended with another status than 0.
            TimeoutError: It makes no progress.
        """
        await eventually(lambda: self._step(version), f"{self.orders.component} is replaced", 600)
        await self.settled()

    async def scale(self, replicas: int) -> None:
        """Add pods, or take away the youngest, as a ReplicaSet does."""
        self.replicas = replicas
        version = self.pods[-1].version
        await eventually(lambda: self._step(version), f"{replicas} pods", PROGRESS_SECONDS)
        await self.settled()

    async def settled(self) -> None:
        """Wait until every pod that was told to end has ended."""
        await asyncio.gather(*self._ending)

    def _step(self, version: str) -> bool:
        """Do what can be done now; return whether nothing is left to do."""
        for pod in self.pods:
            pod.check()
        new = [pod for pod in self.living if pod.version == version]
        old = [pod for pod in self.living if pod.version != version]
        while len(new) < self.replicas and len(new) + len(old) < self.replicas + self.orders.surge:
            new.append(self._make_pod(self.orders, version))
            self.pods.append(new[-1])
        spare = sum(pod.is_available for pod in self.living) - self.replicas
        for pod in old[: max(0, spare)]:
            self._end(pod)
        for pod in new[self.replicas :]:
            self._end(pod)
        living = self.living
        return (
            len(living) == self.replicas
            and all(pod.version == version and pod.is_available for pod in living)
        )  # fmt: skip

    def _end(self, pod: ManagedPod) -> None:
        task = asyncio.create_task(self._terminate(pod), name=f"end of {pod.pod.name}")
        self._ending.add(task)
        pod.is_leaving = True

    async def _terminate(self, pod: ManagedPod) -> None:
        await pod.terminate()
        self.pods.remove(pod)
        self.gone.append(pod)
