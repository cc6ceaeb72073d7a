"""The made-up secrets of `pytake dev`."""

from __future__ import annotations

from pathlib import Path

from pytake.processes import dev_key
from pytake.settings import Settings, load


def made(folder: Path, **given: str) -> Settings:
    return dev_key.complete(load("dev", **given), folder)


def test_a_secret_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / ".pytake"

    first, second = made(folder), made(folder)

    assert first.jwt_secret == second.jwt_secret
    assert first.whatsapp_app_secret != first.jwt_secret
    assert (folder / dev_key.FILE).stat().st_mode & 0o777 == 0o600


def test_a_secret_that_is_set_is_left_alone(tmp_path: Path) -> None:
    settings = made(tmp_path, jwt_secret="a secret of thirty-two bytes or so")

    assert settings.jwt_secret is not None
    assert settings.jwt_secret.get_secret_value() == "a secret of thirty-two bytes or so"
