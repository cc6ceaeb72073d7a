"""One cluster for all files of this folder; each test has a namespace of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from conftest import left_out_if_missing
from deploy.chart import HELMS
from deploy.kubernetes.control_plane import BUILT, ControlPlane
from deploy.kubernetes.kubectl import Kubectl
from deploy.kubernetes.release import DEFAULT, Release

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[ControlPlane]:
    with left_out_if_missing():
        control_plane = ControlPlane()
    with control_plane:
        control_plane.kubectl("create", f"--filename={BUILT / 'crds'}")
        control_plane.kubectl("wait", "crds", "--all", "--for=condition=Established")
        yield control_plane


@pytest.fixture(scope="session")
def kubectl(kubernetes: ControlPlane) -> Kubectl:
    return kubernetes.kubectl


@pytest.fixture(params=HELMS)
def new_release(
    request: pytest.FixtureRequest, kubectl: Kubectl
) -> Iterator[Callable[[], Release]]:
    """Makes an empty place for a release, for each Helm."""
    made: list[str] = []

    def make() -> Release:
        namespace = f"test-{next(_numbers)}"
        made.append(namespace)
        kubectl.create_namespace(namespace)
        return Release(request.param, kubectl, namespace)

    yield make
    for namespace in made:
        kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def release(new_release: Callable[[], Release]) -> Release:
    """The least release, installed."""
    release = new_release()
    release.install(DEFAULT, "--set=image.tag=first")
    return release
