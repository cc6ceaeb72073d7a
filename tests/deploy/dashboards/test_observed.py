"""No metric is declared for show: each is observed, or read, somewhere in the package."""

import re
from pathlib import Path

import pytest

import pytake
from pytake.observability.metrics import Metrics

PACKAGE = Path(pytake.__file__).parent
CATALOGUE = PACKAGE / "observability" / "metrics.py"
OWN = {"build_info", "undeclared_labels", "websocket_connections"}
"""Set by the catalogue itself."""

METRICS = Metrics()
ATTRIBUTES = sorted(name for name, value in vars(METRICS).items() if value in METRICS.instruments)
SOURCES = "\n".join(path.read_text() for path in sorted(PACKAGE.rglob("*.py")) if path != CATALOGUE)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_declared_metric_is_observed(name) -> None:
    assert name in OWN or re.search(rf"(\.|\"){name}\b", SOURCES), f"nobody observes {name}"


def test_attributes_are_named_like_their_metrics() -> None:
    for name in ATTRIBUTES:
        full = getattr(METRICS, name).description.family.removeprefix("pytake_")
        assert full in (name, f"{name}_events"), f"{name} is {full}"
