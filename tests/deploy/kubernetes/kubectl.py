"""The command line of Kubernetes against the cluster of the tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cluster.waiting import wait_until
from deploy.chart import ROOT

Object = dict[str, Any]

TIMEOUT_SECONDS = 900


class Failed(Exception):
    """A command ended with an error; the text is what it printed."""


def run(command: list[str | Path], home: Path, text: str | None = None) -> tuple[str, str]:
    """Return what a command printed to its output and to its errors.

    Raises:
        Failed: It did not end with 0.
    """
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False,
        timeout=TIMEOUT_SECONDS, env=os.environ | {"HOME": str(home)},
    )  # fmt: skip
    if done.returncode != 0:
        raise Failed(f"{done.stdout}\n{done.stderr}")
    return done.stdout, done.stderr


class Kubectl:
    """Asks and tells the API server."""

    def __init__(self, kubeconfig: Path, home: Path) -> None:
        self._program = ROOT / ".tools" / "helm" / "kubectl"
        self.kubeconfig = kubeconfig
        self.home = home

    def __call__(self, *arguments: str | Path, text: str | None = None) -> tuple[str, str]:
        command = [self._program, f"--kubeconfig={self.kubeconfig}", *arguments]
        return run(command, self.home, text)

    def is_ready(self) -> bool:
        try:
            return self("get", "--raw=/readyz")[0] == "ok"
        except Failed:
            return False

    def items(self, kind: str, namespace: str = "") -> list[Object]:
        """Return all objects of a kind, of one namespace or of none."""
        where = [f"--namespace={namespace}"] if namespace else []
        found: list[Object] = json.loads(self("get", kind, *where, "--output=json")[0])["items"]
        return found

    def apply(self, objects: Iterable[Object], *options: str) -> str:
        """Let the API server take these, every field of them known; return its warnings."""
        wanted = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        command = ("apply", "--server-side", "--validate=strict", "--filename=-", *options)
        return self(*command, text=json.dumps(wanted))[1]

    def create_namespace(self, name: str) -> None:
        """Make a namespace that takes restricted pods alone, with the account that pods run as."""
        labels = {
            f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")
        }
        self.apply(
            [
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": name, "labels": labels},
                }
            ]
        )
        wait_until(
            lambda: self.items("serviceaccounts", name), f"{name} has its default account", 60
        )

    def evict(self, namespace: str, pod: str) -> None:
        """Ask for the place of a pod, as a drain of its node does.

        Raises:
            Failed: The disruption budget has nothing left.
        """
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        self("create", f"--raw={path}", "--filename=-", text=json.dumps(eviction))

    def contents(self, namespace: str) -> set[str]:
        """Return `kind/name` of all that is in a namespace, but events and what each one has."""
        kinds, _ = self("api-resources", "--namespaced", "--verbs=list", "--output=name")
        wanted = ",".join(kind for kind in kinds.split() if not kind.startswith("events"))
        names, _ = self("get", wanted, f"--namespace={namespace}", "--output=name")
        return set(names.split()) - {"configmap/kube-root-ca.crt", "serviceaccount/default"}
