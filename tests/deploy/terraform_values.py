"""Renders the chart with what the Terraform module composes; `make terraform-test` runs it.

Terraform comes from no package registry, so this is no part of `make test`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
from deploy.chart import HELMS, ROOT, render

VARIABLES = {
    "host": "api.example.com",
    "allowed_origins": ["https://app.example.com"],
    "redis": {"host": "redis.internal", "secret": "pytake-redis"},
    "database_secret": "pytake-database",
    "auth_secret": "pytake-auth",
}


def composed() -> str:
    """Apply the provider-less module in a folder of its own and return its values."""
    module = ROOT / "terraform" / "modules" / "release" / "values"
    with tempfile.TemporaryDirectory() as folder:
        configuration = {
            "module": {"values": {"source": str(module), **VARIABLES}},
            "output": {"yaml": {"value": "${module.values.yaml}"}},
        }
        (Path(folder) / "main.tf.json").write_text(json.dumps(configuration))
        for arguments in (["init"], ["apply", "-auto-approve"]):
            subprocess.run(["terraform", *arguments], cwd=folder, check=True, capture_output=True)
        output = subprocess.run(
            ["terraform", "output", "-raw", "yaml"],
            cwd=folder, check=True, capture_output=True, text=True,
        )  # fmt: skip
    return output.stdout


if __name__ == "__main__":
    values = yaml.safe_load(composed())
    for helm in HELMS:
        print(f"{helm}: the chart makes {len(render(values, helm=helm))} objects of the values")
