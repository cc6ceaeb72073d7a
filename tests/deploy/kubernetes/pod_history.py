"""What happened to the pods of a namespace, event by event, as the API server tells it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from cluster.programs import Program
from cluster.waiting import wait_until
from deploy.chart import ROOT
from deploy.kubernetes.kubectl import Kubectl


@dataclass(frozen=True)
class PodState:
    """A pod as it was after one event."""

    component: str
    tag: str
    phase: str
    is_ready: bool
    is_leaving: bool

    @property
    def serves(self) -> bool:
        return self.is_ready and not self.is_leaving


class PodHistory:
    """Records while its context is open; ask it afterwards."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._lines = kubectl.home / f"{namespace}-pods.jsonl"
        self._lines.unlink(missing_ok=True)
        path = f"/api/v1/namespaces/{namespace}/pods?watch=1"
        self._watch = Program(
            f"watch of {namespace}", [*_get(kubectl.kubeconfig), f"--raw={path}"], self._lines
        )

    def __enter__(self) -> PodHistory:
        self._watch.start()
        wait_until(self._lines.exists, "the watch has begun")
        wait_until(lambda: self._lines.stat().st_size, "the watch tells what is there")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watch.stop()

    def states(self) -> Iterator[dict[str, PodState]]:
        """Yield all pods by name, after each event."""
        pods: dict[str, PodState] = {}
        for line in self._lines.read_text().splitlines():
            if not line.endswith("}"):
                return  # the watch was ended in the middle of it
            event = json.loads(line)
            name = event["object"]["metadata"]["name"]
            if event["type"] == "DELETED":
                pods.pop(name, None)
            else:
                pods[name] = _state(event["object"])
            yield dict(pods)

    def fewest_serving(self, replicas: dict[str, int]) -> dict[str, int]:
        """Return the least number of pods of each component that served, once all had done so."""
        fewest: dict[str, int] = {}
        for pods in self.states():
            serving = Counter(pod.component for pod in pods.values() if pod.serves)
            if fewest or all(serving[component] >= n for component, n in replicas.items()):
                fewest = {
                    component: min(serving[component], fewest.get(component, n))
                    for component, n in replicas.items()
                }
        return fewest

    def most(self, component: str) -> int:
        """Return the largest number of pods of a component that were not leaving."""
        return max(
            sum(pod.component == component and not pod.is_leaving for pod in pods.values())
            for pods in self.states()
        )

    def first(self, component: str, **wanted: Any) -> int | None:
        """Return after how many events a pod of this component was first seen in this state."""
        for number, pods in enumerate(self.states()):
            for pod in pods.values():
                if pod.component == component and all(
                    getattr(pod, key) == value for key, value in wanted.items()
                ):
                    return number
        return None


def _get(kubeconfig: Path) -> list[str | Path]:
    return [ROOT / ".tools" / "helm" / "kubectl", f"--kubeconfig={kubeconfig}", "get"]


def _state(pod: dict[str, Any]) -> PodState:
    conditions = pod["status"].get("conditions", ())
    return PodState(
        component=pod["metadata"]["labels"].get("app.kubernetes.io/component", ""),
        tag=pod["spec"]["containers"][0]["image"].rpartition(":")[2],
        phase=pod["status"]["phase"],
        is_ready=any(each["type"] == "Ready" and each["status"] == "True" for each in conditions),
        is_leaving="deletionTimestamp" in pod["metadata"],
    )
