"""The objects of operators that the chart writes, against those operators' own types."""

from __future__ import annotations

import json
import subprocess
from copy import deepcopy
from typing import Any

import pytest

from cluster.programs import find_program
from deploy.chart import PROFILES, ROOT, Objects, render

JUDGE = ROOT / "tests" / "deploy" / "crds"
GROUPS = (
    "monitoring.coreos.com",
    "keda.sh",
    "gateway.networking.k8s.io",
    "external-secrets.io",
)
KINDS = {
    "PodMonitor",
    "ServiceMonitor",
    "PrometheusRule",
    "ScaledObject",
    "HTTPRoute",
    "ExternalSecret",
}


@pytest.fixture(scope="module")
def custom_objects() -> Objects:
    """All that the profiles make of these, and a route with stickiness, which none of them has."""
    everything = [item for profile in PROFILES for item in render(profile)]
    sticky = {
        "redis": {"host": "redis"},
        "database": {"existingSecret": "db"},
        "auth": {"existingSecret": "jwt", "allowedOrigins": ["https://app.example.com"]},
        "gatewayApi": {"enabled": True, "parentRefs": [{"name": "g"}], "sessionPersistence": True},
    }
    everything += render(sticky)
    return [item for item in everything if item["apiVersion"].startswith(GROUPS)]


def judged(objects: Objects) -> list[str | None]:
    """Return why each object is refused, or None."""
    if not (JUDGE / "node_modules").is_dir():
        pytest.skip("the models of the operators are not installed: make test")
    node = find_program("node", str(ROOT / ".tools" / "bin" / "node"))
    done = subprocess.run(
        [node, JUDGE / "judge.mjs"],
        input=json.dumps(objects), capture_output=True, text=True, check=True,
    )  # fmt: skip
    verdicts: list[str | None] = json.loads(done.stdout)
    return verdicts


def test_every_object_of_an_operator_is_one_that_it_knows(custom_objects: Objects) -> None:
    assert {item["kind"] for item in custom_objects} == KINDS

    refused = [
        f"{item['kind']}: {verdict}"
        for item, verdict in zip(custom_objects, judged(custom_objects), strict=True)
        if verdict is not None
    ]

    assert refused == []


def test_what_is_misspelt_missing_or_of_another_type_would_be_noticed(
    custom_objects: Objects,
) -> None:
    def broken(kind: str, change: Any) -> dict[str, Any]:
        item = deepcopy(next(item for item in custom_objects if item["kind"] == kind))
        change(item["spec"])
        return item

    misspelt = broken("HTTPRoute", lambda spec: spec["rules"][0].update(backendRef=[]))
    missing = broken("ScaledObject", lambda spec: spec["triggers"][0].pop("metadata"))
    mistyped = broken("PodMonitor", lambda spec: spec["podMetricsEndpoints"][0].update(interval=15))

    first, second, third = judged([misspelt, missing, mistyped])

    assert "'\"backendRef\"' does not exist" in (first or "")
    assert "metadata" in (second or "")
    assert "interval" in (third or "")
