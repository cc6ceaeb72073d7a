"""A release of the chart on one machine: real processes, real NGINX, the chart's own timings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cluster.cluster import Cluster
from cluster.pods import Pod, PodKind, run_pytake
from deploy.chart import render, with_values
from deploy.rollout.deployment import Deployment
from deploy.rollout.orders import Orders, orders_of, settings_of
from deploy.rollout.pods import ManagedPod

PROXY_HEARS_AFTER_SECONDS = 1.5
"""Endpoints travel from the API server to the proxies; the chart allows them ten seconds."""

OF_THIS_MACHINE = {
    "PYTAKE_HOST",
    "PYTAKE_PORT",
    "PYTAKE_METRICS_HOST",
    "PYTAKE_METRICS_PORT",
    "PYTAKE_CORS_ALLOWED_ORIGINS",
    "PYTAKE_MEDIA_URL",
}
# One writer stands for a hundred agents.
RATES = {"httpRateLimit": "1000000/minute", "httpRateLimitBot": "1000000/minute"}

Present = "present"


class Release(Cluster):
    """What `helm install` makes: the three Deployments of the chart, and a proxy that follows them.

    Versions are named; each is a set of settings that a process is started with beside the chart's.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        settings: Mapping[str, str] | None = None,
        versions: Mapping[str, Mapping[str, str]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(gateways=0, apis=0, relays=0, **options)
        changes: dict[str, Any] = dict(values)
        changes["api"] = RATES | changes.get("api", {})
        objects = render(with_values(**changes))
        self._of_chart = {
            name: value
            for name, value in settings_of(objects).items()
            if name not in OF_THIS_MACHINE and value
        }
        self._of_test = dict(settings or {})
        self.versions: dict[str, Mapping[str, str]] = {Present: {}, **(versions or {})}
        self.deployments = {
            kind: Deployment(orders, self._make_pod) for kind, orders in orders_of(objects).items()
        }
        self._endpoints_changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Release:
        await asyncio.to_thread(self.start)
        self._following = asyncio.create_task(self._follow_endpoints(), name="proxy")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._following is not None
        has_failed = self._following.done()
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await asyncio.gather(*(pod.unwatch() for pod in self.managed))
        await asyncio.to_thread(self.stop)
        if has_failed:
            self._following.result()

    # --- what an operator does -------------------------------------------------------------------

    async def install(self, version: str = Present) -> None:
        """Migrate, start all pods, and return when they are available to clients."""
        await self.upgrade(version)
        await asyncio.sleep(2 * PROXY_HEARS_AFTER_SECONDS)  # the proxy has heard of the last one

    async def upgrade(self, version: str) -> None:
        """Run the hook, then replace the pods of all Deployments at once, as Helm does."""
        migrated = self._settings(version)
        await asyncio.to_thread(run_pytake, "migrate", settings=migrated, folder=self.folder)
        await self.rollback(version)

    async def rollback(self, version: str) -> None:
        """Replace the pods without the hook, which Helm runs at installs and upgrades alone."""
        await asyncio.gather(*(each.roll_to(version) for each in self.deployments.values()))

    @property
    def managed(self) -> list[ManagedPod]:
        """Every pod that there was."""
        return [pod for each in self.deployments.values() for pod in (*each.gone, *each.pods)]

    # --- the machinery ---------------------------------------------------------------------------

    def _migrated_template(self) -> str:
        """Nothing: the hook of the first version brings its schema."""
        return self.postgres.create_database()

    def _settings(self, version: str) -> dict[str, str]:
        media = {"PYTAKE_MEDIA_URL": f"file:{self.folder / 'media'}"}
        chosen = self.settings | self._of_chart | media | self._of_test
        return {**chosen, **self.versions[version]}

    def _make_pod(self, orders: Orders, version: str) -> ManagedPod:
        pod: Pod = self._new_pod(orders.component, self._settings(version))
        return ManagedPod(pod, orders, version, self._endpoints_changed.set)

    def _endpoints(self, kind: PodKind) -> list[str]:
        return [pod.pod.address for pod in self.deployments[kind].pods if pod.is_endpoint]

    async def _follow_endpoints(self) -> None:
        while True:
            await self._endpoints_changed.wait()
            self._endpoints_changed.clear()
            await asyncio.sleep(PROXY_HEARS_AFTER_SECONDS)
            await asyncio.to_thread(
                self.nginx.route,
                gateways=self._endpoints("gateway"),
                apis=self._endpoints("api"),
            )


async def spread(release: Release) -> list[int]:
    """Connections of each gateway, fewest first."""
    counts = []
    for each in release.deployments["gateway"].living:
        metrics = await asyncio.to_thread(each.pod.metrics)
        line = next(one for one in metrics.splitlines() if one.startswith("websocket_connections "))
        counts.append(int(float(line.split()[-1])))
    return sorted(counts)
