"""Every way to install that the repository shows, taken by a real API server without a warning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.waiting import wait_until
from deploy.chart import PROFILES, ROOT
from deploy.kubernetes.kubectl import Failed, Kubectl, Object
from deploy.kubernetes.release import DEFAULT, ONE_HELM, PRODUCTION, Release

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]

NewRelease = Callable[[], Release]
CHECK_ONLY = ("--dry-run=server", "--force-conflicts")


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_a_profile_installs_and_an_upgrade_to_the_same_changes_no_pod(
    new_release: NewRelease, profile: Path
) -> None:
    release = new_release()

    warnings = release.install(profile)
    before = release.deployments()
    warnings += release.upgrade(profile)
    after = release.deployments()

    assert warnings == ""
    assert {name: _template(item) for name, item in after.items()} == {
        name: _template(item) for name, item in before.items()
    }
    # Strictly: Helm itself lets a field pass that the API server does not know.
    where = f"--namespace={release.namespace}"
    assert release.kubectl.apply(release.objects(), where, *CHECK_ONLY) == ""


@ONE_HELM
def test_the_autoscaler_starts_at_its_minimum(new_release: NewRelease) -> None:
    release = new_release()

    release.install(PRODUCTION)

    wait_until(lambda: len(release.pods("gateway")) == 3, "three gateways", 60)


@ONE_HELM
def test_a_gateway_may_say_what_it_costs_to_end_and_nothing_else(new_release: NewRelease) -> None:
    release = new_release()
    release.install(DEFAULT, "--set=gateway.podDeletionCost=true")
    account = f"system:serviceaccount:{release.namespace}:rt-pytake-realtime-gateway"

    def may(verb: str, kind: str) -> bool:
        where = [f"--namespace={release.namespace}", f"--as={account}"]
        try:
            release.kubectl("auth", "can-i", verb, kind, *where)
        except Failed:
            return False
        return True

    assert may("patch", "pods")
    assert not any(may(verb, "pods") for verb in ("get", "list", "delete", "create"))
    assert not may("get", "secrets")


@pytest.mark.parametrize("overlay", ["staging", "production", "laptop"])
def test_an_overlay_applies_and_its_pods_come_up(kubectl: Kubectl, overlay: str) -> None:
    folder = ROOT / "k8s" / "overlays" / overlay
    kubectl.create_namespace("pytake")

    _, warnings = kubectl("apply", "--server-side", "--validate=strict", f"--kustomize={folder}")

    assert warnings == ""
    kubectl("wait", "deployments", "--all", "--for=condition=Available", "--namespace=pytake",
            "--timeout=120s")  # fmt: skip
    kubectl("delete", "namespace", "pytake")


def _template(deployment: Object) -> Object:
    template: Object = deployment["spec"]["template"]
    return template
