"""The kustomize files: current, and the same as what the chart renders."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import yaml

from deploy.chart import ROOT

K8S = ROOT / "k8s"
ENVIRONMENTS = ("staging", "production", "laptop")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    found = importlib.util.spec_from_file_location("generate", K8S / "generate.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_files_are_current(generator: ModuleType) -> None:
    for path, text in generator.generated().items():
        assert (K8S / path).read_text() == text, f"{path}: run python k8s/generate.py"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_overlay_builds_what_the_chart_renders(generator: ModuleType, environment: str) -> None:
    built = subprocess.run(
        [ROOT / ".tools" / "helm" / "kubectl", "kustomize", K8S / "overlays" / environment],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    objects = {
        (item["kind"], item["metadata"]["name"]): _without_namespace(item)
        for item in yaml.safe_load_all(built.stdout)
    }
    wanted = generator.rendered("base", environment)
    assert objects == {key: _without_namespace(item) for key, item in wanted.items()}


def _without_namespace(item: dict[str, Any]) -> dict[str, Any]:
    """Kustomize puts every object into the namespace; Helm leaves that to the client."""
    return item | {"metadata": {k: v for k, v in item["metadata"].items() if k != "namespace"}}


def test_the_page_makes_every_secret_that_production_needs(generator: ModuleType) -> None:
    page = (K8S / "README.md").read_text()
    made = dict(re.findall(r"^secret (\S+) (.*)$", page, re.MULTILINE))

    for item in generator.rendered("base", "production").values():
        if item["kind"] == "Deployment":
            for name, key in _secrets(item["spec"]["template"]["spec"]):
                assert key in made[name], f"{name} has no {key}"


def _secrets(pod: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for variable in pod["containers"][0]["env"]:
        if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
            yield reference["name"], reference["key"]
    for volume in pod["volumes"]:
        for item in volume.get("secret", {}).get("items", []):
            yield volume["secret"]["secretName"], item["key"]
