"""Writes the kustomize base and overlays from the chart, for teams without Helm.

    python k8s/generate.py

The chart stays the one source: the base is what it renders from values/base.yaml, an overlay is
what has to be added, removed and patched to arrive at what it renders from both value files.
tests/deploy/test_kustomize.py proves that, and that the files are current.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonpatch
import yaml

HERE = Path(__file__).parent
HELM = HERE.parent / ".tools" / "helm" / "helm4"
CHART = HERE.parent / "helm" / "pytake-realtime"
NAMESPACE = "pytake"
ENVIRONMENTS = ("staging", "production", "laptop")
MARK = "# Written by k8s/generate.py from the chart. Do not edit; change values/ or the chart.\n"

Object = dict[str, Any]
Key = tuple[str, str]


def rendered(*values: str) -> dict[Key, Object]:
    """Return what the chart makes of these value files, by kind and name."""
    files = [
        part for name in values for part in ("--values", str(HERE / "values" / f"{name}.yaml"))
    ]
    done = subprocess.run(
        [str(HELM), "template", "pytake", str(CHART), "--namespace", NAMESPACE, *files],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    objects = (_plain(item) for item in yaml.safe_load_all(done.stdout) if item)
    return {(item["kind"], item["metadata"]["name"]): item for item in objects}


def _plain(item: Object) -> Object:
    """Take away what speaks of Helm: these objects belong to no release."""
    _drop_helm_labels(item)
    template = item.get("spec", {}).get("template")
    if template:
        _drop_helm_labels(template)
    return item


def _drop_helm_labels(item: Object) -> None:
    labels = item["metadata"]["labels"]
    labels.pop("helm.sh/chart", None)
    labels.pop("app.kubernetes.io/managed-by", None)


def generated() -> dict[Path, str]:
    """Return every generated file with its text, by path below this folder."""
    base = rendered("base")
    files = {
        Path("base/objects.yaml"): _documents(list(base.values())),
        Path("base/kustomization.yaml"): _kustomization({"resources": ["objects.yaml"]}),
    }
    for environment in ENVIRONMENTS:
        files |= _overlay(environment, base, rendered("base", environment))
    return files


def _overlay(name: str, base: dict[Key, Object], wanted: dict[Key, Object]) -> dict[Path, str]:
    folder = Path("overlays") / name
    added = [item for key, item in wanted.items() if key not in base]
    patches = [_removal(item) for key, item in base.items() if key not in wanted]
    for key, item in wanted.items():
        if key in base and (operations := jsonpatch.make_patch(base[key], item).patch):
            patches.append(_patch(item, operations))
    kustomization: Object = {"namespace": NAMESPACE, "resources": ["../../base"]}
    files = {}
    if added:
        kustomization["resources"].append("objects.yaml")
        files[folder / "objects.yaml"] = _documents(added)
    if patches:
        kustomization["patches"] = patches
    return files | {folder / "kustomization.yaml": _kustomization(kustomization)}


def _removal(item: Object) -> Object:
    metadata = {"name": item["metadata"]["name"]}
    target = {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata}
    return {"patch": yaml.safe_dump(target | {"$patch": "delete"}, sort_keys=False)}


def _patch(item: Object, operations: list[Object]) -> Object:
    return {
        "target": {"kind": item["kind"], "name": item["metadata"]["name"]},
        "patch": yaml.safe_dump(operations, sort_keys=False, allow_unicode=True),
    }


def _documents(objects: list[Object]) -> str:
    return MARK + yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True, width=120)


def _kustomization(content: Object) -> str:
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    return MARK + yaml.safe_dump(head | content, sort_keys=False, allow_unicode=True, width=120)


def main() -> None:
    """Write everything anew."""
    for folder in ("base", "overlays"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
    for path, text in generated().items():
        (HERE / path).parent.mkdir(parents=True, exist_ok=True)
        (HERE / path).write_text(text)


if __name__ == "__main__":
    main()
