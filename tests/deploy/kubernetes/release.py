"""A release of the chart in the cluster of the tests, as an operator handles it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.waiting import scaled, wait_until
from deploy.chart import CHART, ROOT
from deploy.kubernetes.kubectl import Kubectl, Object, run

NAME = "rt"
DEFAULT = CHART / "ci" / "default.yaml"
PRODUCTION = CHART / "ci" / "production.yaml"
# A pod counts after a second; the chart's own ten would only make the tests longer.
QUICK = [f"--set={component}.minReadySeconds=1" for component in ("gateway", "api", "relay")]
# Helm 4 has another word for it, and warns about the old one.
UNDO = {"helm3": "--atomic", "helm4": "--rollback-on-failure"}
# Helm 4 leaves alone what another command has changed.
TAKE_BACK = {"helm3": (), "helm4": ("--force-conflicts",)}
# For what Kubernetes alone decides: once is enough.
ONE_HELM = pytest.mark.parametrize("new_release", ["helm4"], indirect=True)


class Release:
    """One release in a namespace of its own.

    Each method returns the warnings that Helm printed: those of the API server, and its own.
    """

    def __init__(self, helm: str, kubectl: Kubectl, namespace: str) -> None:
        self.helm = helm
        self.kubectl = kubectl
        self.namespace = namespace

    def install(self, values: Path, *options: str) -> str:
        return self._with_values("install", values, *options)

    def upgrade(self, values: Path, *options: str) -> str:
        return self._with_values("upgrade", values, *options)

    def rollback(self) -> str:
        return self._run("rollback", NAME, *_waiting(120))

    def test(self) -> str:
        return self._run("test", NAME)

    def uninstall(self) -> str:
        return self._run("uninstall", NAME, *_waiting(120))

    def history(self) -> list[str]:
        """Return the state of each revision, the first one first."""
        text = self._output("history", NAME, "--output=json")
        return [revision["status"] for revision in json.loads(text)]

    def objects(self) -> list[Object]:
        """Return what the release consists of, without its hooks."""
        text = self._output("get", "manifest", NAME)
        return [item for item in yaml.safe_load_all(text) if item]

    def deployments(self) -> dict[str, Object]:
        """Return the Deployments by component."""
        return {_component(item): item for item in self._items("deployments")}

    def pods(self, component: str) -> list[str]:
        """Return the names of the pods that are there to stay."""
        return [
            item["metadata"]["name"]
            for item in self._items("pods")
            if _component(item) == component and "deletionTimestamp" not in item["metadata"]
        ]

    def disruptions_allowed(self, component: str) -> int:
        """Return how many pods of a component may be taken away now."""
        (budget,) = (
            item for item in self._items("poddisruptionbudgets") if _component(item) == component
        )
        allowed: int = budget.get("status", {}).get("disruptionsAllowed", 0)
        return allowed

    def images(self) -> set[str]:
        """Return the tags that the Deployments ask for."""
        return {
            container["image"].rpartition(":")[2]
            for item in self.deployments().values()
            for container in item["spec"]["template"]["spec"]["containers"]
        }

    def _items(self, kind: str) -> list[Object]:
        return self.kubectl.items(kind, self.namespace)

    def _with_values(self, verb: str, values: Path, *options: str) -> str:
        # The last word of an option counts: a story may wait shorter.
        command = [verb, NAME, str(CHART), f"--values={values}", *QUICK, *_waiting(120), *options]
        return self._run(*command)

    def _run(self, *arguments: str) -> str:
        return self._helm(*arguments)[1]

    def _output(self, *arguments: str) -> str:
        return self._helm(*arguments)[0]

    def _helm(self, *arguments: str) -> tuple[str, str]:
        program = ROOT / ".tools" / "helm" / self.helm
        at = [f"--namespace={self.namespace}", f"--kubeconfig={self.kubectl.kubeconfig}"]
        return run([program, *arguments, *at], self.kubectl.home)


def _waiting(seconds: int) -> list[str]:
    return ["--wait", f"--timeout={scaled(seconds):.0f}s"]


def _component(item: dict[str, Any]) -> str:
    component: str = item["metadata"]["labels"]["app.kubernetes.io/component"]
    return component


def wait_until_gone(kubectl: Kubectl, namespace: str) -> set[str]:
    """Return what is left in a namespace when nothing but secrets is, or after a minute."""

    def only_secrets() -> bool:
        return all(name.startswith("secret/") for name in kubectl.contents(namespace))

    wait_until(only_secrets, f"{namespace} holds secrets alone", 60)
    return kubectl.contents(namespace)
