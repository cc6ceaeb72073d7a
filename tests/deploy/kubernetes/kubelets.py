"""The nodes of the cluster, and what becomes of the pods on them. No container runs.

The names of image tags decide: `never-ready` never is, `failing` ends a Job with 1.
kwok would do the same, but does not compile with the modules of Kubernetes 1.35.
"""

from __future__ import annotations

import itertools
import math
import ssl
import threading
import time
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from deploy.kubernetes.kubectl import Object

PAUSE_SECONDS = 0.2
# A drain of two seconds: long enough that old and new pods are there at once.
AFTER_SECONDS = {"start": 0.5, "end": 0.3, "remove": 2.0}
_MERGE = {"Content-Type": "application/strategic-merge-patch+json"}


class Kubelets:
    """Plays the kubelets of all nodes, in a thread, from `start` to `stop`."""

    def __init__(self, address: str, authority: Path, token: str) -> None:
        self._api = httpx.Client(
            base_url=address,
            verify=ssl.create_default_context(cafile=str(authority)),
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kubelets", daemon=True)
        self._due: dict[tuple[str, str], float] = {}
        self._addresses = itertools.count(256)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._api.close()

    def register(self, zone: str) -> None:
        """Make the node of a zone. A server-side apply would leave its state out."""
        self._api.post("/api/v1/nodes", json=_node(zone)).raise_for_status()

    def _work(self) -> None:
        while not self._stopping.wait(PAUSE_SECONDS):
            answer = self._api.get("/api/v1/pods", params={"resourceVersion": "0"})
            pods = answer.raise_for_status().json()["items"]
            steps = {(pod["metadata"]["uid"], step): pod for pod in pods if (step := _step(pod))}
            now = time.monotonic()
            self._due = {key: self._due.get(key, now + AFTER_SECONDS[key[1]]) for key in steps}
            for key, pod in steps.items():
                if self._due[key] <= now and self._take(key[1], pod):
                    self._due[key] = math.inf  # the list may still show the pod as it was

    def _take(self, step: str, pod: Object) -> bool:
        """Change a pod; return whether it was there and nobody else changed it meanwhile."""
        path = "/api/v1/namespaces/{namespace}/pods/{name}".format_map(pod["metadata"])
        if step == "remove":
            wanted = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
            answer = self._api.request("DELETE", path, json=wanted)
        else:
            status = _ended(pod) if step == "end" else _running(pod, next(self._addresses))
            answer = self._api.patch(f"{path}/status", json={"status": status}, headers=_MERGE)
        if answer.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            return False
        answer.raise_for_status()
        return True


def _step(pod: Object) -> str | None:
    """Return what is to happen to a pod next."""
    if "nodeName" not in pod["spec"]:
        return None
    if "deletionTimestamp" in pod["metadata"]:
        return "remove"
    phase = pod["status"]["phase"]
    if phase == "Pending" and not _is_tagged(pod, "never-ready"):
        return "start"
    if phase == "Running" and pod["spec"]["restartPolicy"] == "Never":
        return "end"
    return None


def _running(pod: Object, address: int) -> Object:
    high, low = divmod(address, 256)
    return {
        "phase": "Running",
        "podIP": f"10.128.{high}.{low}",
        "startTime": _now(),
        "conditions": _conditions("True"),
        "containerStatuses": _containers(pod, True, {"running": {"startedAt": _now()}}),
    }


def _ended(pod: Object) -> Object:
    has_failed = _is_tagged(pod, "failing")
    end = {
        "exitCode": int(has_failed),
        "reason": "Error" if has_failed else "Completed",
        "startedAt": _now(),
        "finishedAt": _now(),
    }
    return {
        "phase": "Failed" if has_failed else "Succeeded",
        "conditions": _conditions("False"),
        "containerStatuses": _containers(pod, False, {"running": None, "terminated": end}),
    }


def _containers(pod: Object, is_ready: bool, state: Object) -> list[Object]:
    return [
        {
            "name": each["name"],
            "image": each["image"],
            "imageID": "",
            "ready": is_ready,
            "restartCount": 0,
            "state": state,
        }
        for each in pod["spec"]["containers"]
    ]


def _conditions(ready: str) -> list[Object]:
    return [
        _condition("Initialized", "True"),
        _condition("ContainersReady", ready),
        _condition("Ready", ready),
    ]


def _condition(name: str, status: str) -> Object:
    return {"type": name, "status": status, "lastTransitionTime": _now()}


def _node(zone: str) -> dict[str, Any]:
    room = {"cpu": "64", "memory": "256Gi", "pods": "200", "ephemeral-storage": "1Ti"}
    name = f"node-{zone}"
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}
    conditions = [_condition("Ready", "True") | {"reason": "Test", "message": ""}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": room, "capacity": room, "conditions": conditions},
    }


def _is_tagged(pod: Object, tag: str) -> bool:
    return any(each["image"].endswith(f":{tag}") for each in pod["spec"]["containers"])


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
