"""What the Terraform module composes, installed as the module installs it.

The module's own resources need the providers helm 3 and kubernetes 2, which no package registry and
no module proxy has. Terraform itself may be missing too.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.kubernetes.release import ONE_HELM, Release
from deploy.terraform_values import composed

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]


@ONE_HELM
def test_the_values_of_the_module_install_a_release(
    new_release: Callable[[], Release], tmp_path: Path
) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("left out: terraform is not installed, and no package registry has it")
    values = tmp_path / "values.yaml"
    values.write_text(composed())
    release = new_release()

    warnings = release.install(values, "--timeout=900s")

    assert warnings == ""
    assert set(release.deployments()) == {"gateway", "api", "relay"}
