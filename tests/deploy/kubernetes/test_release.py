"""What Kubernetes does with a release over its life: the chart's own numbers, a real API server."""

from __future__ import annotations

import pytest

from cluster.waiting import wait_until
from deploy.kubernetes.kubectl import Failed
from deploy.kubernetes.pod_history import PodHistory
from deploy.kubernetes.release import (
    DEFAULT,
    NAME,
    ONE_HELM,
    TAKE_BACK,
    UNDO,
    Release,
    wait_until_gone,
)

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]

REPLICAS = {"gateway": 3, "api": 2, "relay": 2}
# A quarter of each, rounded up.
MOST = {component: number + 1 for component, number in REPLICAS.items()}


def test_an_upgrade_never_has_fewer_serving_pods_than_before(release: Release) -> None:
    with PodHistory(release.kubectl, release.namespace) as history:
        warnings = release.upgrade(DEFAULT, "--set=image.tag=second")

    assert warnings == ""
    assert release.images() == {"second"}
    assert history.fewest_serving(REPLICAS) == REPLICAS
    assert {component: history.most(component) for component in REPLICAS} == MOST


@ONE_HELM
def test_a_rollout_that_takes_pods_away_first_would_be_noticed(release: Release) -> None:
    first_away = '{"maxSurge": 0, "maxUnavailable": 2}'

    with PodHistory(release.kubectl, release.namespace) as history:
        release.upgrade(
            DEFAULT, "--set=image.tag=second", f"--set-json=gateway.updateStrategy={first_away}"
        )

    assert history.fewest_serving(REPLICAS) == REPLICAS | {"gateway": 1}


def test_the_migration_ends_before_the_first_pod_of_the_new_version(release: Release) -> None:
    with PodHistory(release.kubectl, release.namespace) as history:
        release.upgrade(DEFAULT, "--set=image.tag=second")

    migrated = history.first("migration", tag="second", phase="Succeeded")
    assert migrated is not None
    for component in REPLICAS:
        began = history.first(component, tag="second")
        assert began is not None
        assert migrated < began
    assert release.kubectl.items("jobs", release.namespace) == []


def test_a_rollback_brings_the_image_back_pod_by_pod_and_without_a_migration(
    release: Release,
) -> None:
    release.upgrade(DEFAULT, "--set=image.tag=second")

    with PodHistory(release.kubectl, release.namespace) as history:
        warnings = release.rollback()

    assert warnings == ""
    assert release.images() == {"first"}
    assert history.fewest_serving(REPLICAS) == REPLICAS
    assert history.first("migration") is None


def test_a_failed_migration_touches_no_pod(release: Release) -> None:
    options = ("--set=image.tag=failing", "--set=migrations.backoffLimit=0")

    with (
        PodHistory(release.kubectl, release.namespace) as history,
        pytest.raises(Failed, match="pre-upgrade hooks failed"),
    ):
        release.upgrade(DEFAULT, *options)

    assert release.images() == {"first"}
    assert history.fewest_serving(REPLICAS) == REPLICAS
    assert all(history.first(component, tag="failing") is None for component in REPLICAS)


def test_a_version_that_never_gets_ready_costs_no_pod_and_goes_back(release: Release) -> None:
    options = ("--set=image.tag=never-ready", "--timeout=30s", UNDO[release.helm])

    with PodHistory(release.kubectl, release.namespace) as history, pytest.raises(Failed):
        # The hook of this version would not end either.
        release.upgrade(DEFAULT, *options, "--set=migrations.hook=none")

    assert history.first("gateway", tag="never-ready") is not None
    assert release.images() == {"first"}
    assert history.fewest_serving(REPLICAS) == REPLICAS
    assert release.history()[-1] == "deployed"


def test_a_wrong_value_stops_before_the_cluster_hears_of_it(release: Release) -> None:
    with pytest.raises(Failed, match="replicaCount"):
        release.upgrade(DEFAULT, "--set-string=gateway.replicaCount=three")

    assert release.history() == ["deployed"]


@ONE_HELM
def test_the_drain_of_a_node_gets_one_gateway_at_a_time(release: Release) -> None:
    first, second, _ = release.pods("gateway")
    wait_until(lambda: release.disruptions_allowed("gateway") == 1, "the budget is known", 60)
    release.kubectl.evict(release.namespace, first)

    with pytest.raises(Failed, match="disruption budget"):
        release.kubectl.evict(release.namespace, second)

    wait_until(lambda: len(release.pods("gateway")) == 3, "its successor is there", 60)


@ONE_HELM
def test_gateways_stand_in_different_zones(release: Release) -> None:
    nodes = {
        item["spec"]["nodeName"]
        for item in release.kubectl.items("pods", release.namespace)
        if item["metadata"]["name"] in release.pods("gateway")
    }

    assert len(nodes) == 3


def test_the_test_of_a_release_is_a_pod_that_may_run(release: Release) -> None:
    assert release.test() == ""


def test_an_uninstalled_release_leaves_what_is_not_its_own(release: Release) -> None:
    release.kubectl(
        "create", "secret", "generic", "pytake-database",
        f"--namespace={release.namespace}", "--from-literal=database-url=x",
    )  # fmt: skip

    release.uninstall()

    assert wait_until_gone(release.kubectl, release.namespace) == {"secret/pytake-database"}


def test_the_replicas_come_back_after_a_restore_as_its_page_says(release: Release) -> None:
    release.kubectl(
        "scale", "deployments", f"--namespace={release.namespace}", "--replicas=0",
        f"--selector=app.kubernetes.io/instance={NAME}",
    )  # fmt: skip
    wait_until(lambda: release.pods("gateway") == [], "no gateway is left", 60)

    release.upgrade(DEFAULT, "--set=image.tag=first", *TAKE_BACK[release.helm])

    assert {component: len(release.pods(component)) for component in REPLICAS} == REPLICAS


def test_turning_the_autoscaler_on_goes_through_one_gateway_as_its_page_says(
    release: Release,
) -> None:
    with PodHistory(release.kubectl, release.namespace) as history:
        release.upgrade(DEFAULT, "--set=image.tag=first", "--set=autoscaling.mode=hpa")
        wait_until(lambda: len(release.pods("gateway")) == 3, "three gateways", 60)

    assert history.fewest_serving(REPLICAS) == REPLICAS | {"gateway": 1}
