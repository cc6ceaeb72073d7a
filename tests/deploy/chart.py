"""Renders the chart as an operator would, with Helm 3 and 4."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "pytake-realtime"
PROFILES = sorted((CHART / "ci").glob("*.yaml"))
HELMS = ("helm3", "helm4")
LEAST: dict[str, Any] = {
    "redis": {"host": "redis"},
    "database": {"existingSecret": "db"},
    "auth": {"existingSecret": "jwt", "allowedOrigins": ["https://app.example.com"]},
}

Objects = list[dict[str, Any]]


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, as a strict reader in the cluster would."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep=deep)


class Refused(Exception):
    """Helm stopped; the text is what the operator reads."""


def render(
    values: Mapping[str, Any] | Path, *, helm: str = "helm4", namespace: str = "chat"
) -> Objects:
    """Return the objects of a release.

    Raises:
        Refused: The values are not accepted.
        yaml.YAMLError: A document is no YAML, or has a key twice.
    """
    text = values.read_text() if isinstance(values, Path) else yaml.safe_dump(dict(values))
    command = [str(ROOT / ".tools" / "helm" / helm), "template", "rt", str(CHART), "--values", "-"]
    done = subprocess.run(
        [*command, "--namespace", namespace],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise Refused(done.stderr)
    documents = yaml.load_all(done.stdout, _StrictLoader)
    return [document for document in documents if document]


def notes(values: Mapping[str, Any]) -> str:
    """Return what Helm prints after an installation."""
    done = subprocess.run(
        [str(ROOT / ".tools" / "helm" / "helm4"), "install", "rt", str(CHART), "--dry-run=client",
         "--values", "-"],
        input=yaml.safe_dump(dict(values)), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.partition("NOTES:")[2]


def with_values(**changes: Any) -> dict[str, Any]:
    """Return the least values with changes; nested objects are merged, not replaced."""
    merged: dict[str, Any] = {key: dict(value) for key, value in LEAST.items()}
    for key, value in changes.items():
        merged[key] = merged.get(key, {}) | value if isinstance(value, dict) else value
    return merged


def of_kind(objects: Objects, kind: str, name: str = "") -> Iterator[dict[str, Any]]:
    """Yield the objects of a kind whose name ends as asked."""
    for item in objects:
        if item["kind"] == kind and item["metadata"]["name"].endswith(name):
            yield item


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, pod spec) of everything that runs."""
    for item in objects:
        if item["kind"] in ("Deployment", "Job"):
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]
        elif item["kind"] == "Pod":
            yield item["metadata"]["name"], item["spec"]
