"""What the chart tells Kubernetes about its pods, as far as a rollout depends on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.pods import PodKind
from deploy.chart import Objects, of_kind

COMPONENTS: tuple[PodKind, ...] = ("gateway", "api", "relay")


@dataclass(frozen=True)
class Probe:
    """An HTTP probe of the inner port."""

    path: str
    period_seconds: float
    failures: int


@dataclass(frozen=True)
class Orders:
    """One Deployment."""

    component: PodKind
    replicas: int
    surge: int
    min_ready_seconds: float
    grace_seconds: float
    pre_stop: str | None
    startup: Probe
    readiness: Probe
    liveness: Probe


def orders_of(objects: Objects) -> dict[PodKind, Orders]:
    """Return the orders of each component of a release."""
    found = {}
    for component in COMPONENTS:
        (deployment,) = of_kind(objects, "Deployment", f"-{component}")
        found[component] = _orders(component, deployment["spec"])
    return found


def settings_of(objects: Objects) -> dict[str, str]:
    """Return the environment that all pods of a release share."""
    (settings,) = of_kind(objects, "ConfigMap", "-settings")
    return dict(settings["data"])


def _orders(component: PodKind, spec: Mapping[str, Any]) -> Orders:
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    strategy = spec["strategy"]["rollingUpdate"]
    assert strategy["maxUnavailable"] == 0, "fewer pods than wanted are not replayed"
    hook = container.get("lifecycle", {}).get("preStop")
    return Orders(
        component=component,
        replicas=spec["replicas"],
        surge=_surge(strategy["maxSurge"], spec["replicas"]),
        min_ready_seconds=spec["minReadySeconds"],
        grace_seconds=pod["terminationGracePeriodSeconds"],
        pre_stop=hook["httpGet"]["path"] if hook else None,
        startup=_probe(container["startupProbe"]),
        readiness=_probe(container["readinessProbe"]),
        liveness=_probe(container["livenessProbe"]),
    )


def _surge(surge: int | str, replicas: int) -> int:
    """A part is rounded up, as Kubernetes does."""
    if isinstance(surge, int):
        return surge
    return math.ceil(replicas * float(surge.removesuffix("%")) / 100)


def _probe(probe: Mapping[str, Any]) -> Probe:
    assert probe["httpGet"]["port"] == "inner"
    return Probe(probe["httpGet"]["path"], probe["periodSeconds"], probe["failureThreshold"])
