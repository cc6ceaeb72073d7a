"""The command line, as an operator uses it: real processes, a real SQLite file."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytake.domain.errors import ErrorCode
from pytake.processes.commands.explain import explain

pytestmark = pytest.mark.integration

SECRET = "k" * 40

Pytake = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def pytake(tmp_path: Path) -> Pytake:
    def run(*arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTAKE_")}
        return subprocess.run(
            [sys.executable, "-m", "pytake.processes.main", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env=kept | {"PYTAKE_JWT_SECRET": SECRET} | settings,
        )

    return run


def test_from_nothing_to_a_user_who_can_sign_in(pytake: Pytake) -> None:
    assert pytake("migrate").returncode == 0
    assert pytake("migrate").returncode == 0
    organization = pytake("create", "organization", "Acme").stdout.strip()

    made = pytake(
        "create", "user", "ana@example.test", "--organization", "Acme", stdin="secret-pass\n"
    )
    taken = pytake(
        "create", "user", "ANA@example.test", "--organization", organization, stdin="secret-pass\n"
    )
    nowhere = pytake(
        "create", "user", "b@example.test", "--organization", "Nope", stdin="secret-pass\n"
    )
    short = pytake("create", "user", "b@example.test", "--organization", "Acme", stdin="short\n")

    assert (made.returncode, len(made.stdout.strip())) == (0, 36)
    for refused in (taken, nowhere, short):
        assert refused.returncode == 1
        assert len(refused.stderr.strip().splitlines()) == 1
        assert "secret-pass" not in refused.stderr


def test_check_has_a_line_for_each_thing_and_fails_for_what_is_missing(pytake: Pytake) -> None:
    before = pytake("check")
    pytake("migrate")
    pytake("create", "organization", "Acme")
    pytake("create", "channel", "1001", "--organization", "Acme", stdin="EAAtoken\n")

    after = pytake("check", PYTAKE_WHATSAPP_API_URL="http://127.0.0.1:9")

    def failed(run: subprocess.CompletedProcess[str]) -> list[str]:
        return [line.split()[1] for line in run.stdout.splitlines() if line.startswith("FAILED")]

    assert (before.returncode, after.returncode) == (1, 1)
    assert failed(before) == ["database", "redis"]
    assert "pytake migrate" in before.stdout
    assert failed(after) == ["whatsapp", "redis"]
    assert "1001: WhatsApp does not answer" in after.stdout
    assert "EAAtoken" not in after.stdout + after.stderr
    assert SECRET not in after.stdout + after.stderr


def test_check_names_every_bad_setting(pytake: Pytake) -> None:
    found = pytake("check", PYTAKE_PORT="99999", PYTAKE_JWT_ALGORITHMS="none")

    assert found.returncode == 1
    assert "PYTAKE_PORT" in found.stdout
    assert "PYTAKE_JWT_ALGORITHMS" in found.stdout


def test_bad_settings_are_named_one_a_line_and_exit_2(pytake: Pytake) -> None:
    ended = pytake(
        "migrate", PYTAKE_PORT="99999", PYTAKE_JWT_SECRET="short", PYTAKE_JWT_CLAIMS="org"
    )

    assert ended.returncode == 2
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == [
        "PYTAKE_PORT",
        "PYTAKE_JWT_SECRET",
        "PYTAKE_JWT_CLAIMS",
    ]


def test_a_token_needs_the_secret(pytake: Pytake) -> None:
    arguments = ("token", "--user", "u1", "--organization", "acme", "--role", "agent")

    good = pytake(*arguments, "--ttl", "2h")
    bad_time = pytake(*arguments, "--ttl", "soon")
    no_secret = pytake(*arguments, PYTAKE_JWT_ALGORITHMS="RS256")

    assert good.returncode == 0
    assert good.stdout.count(".") == 2
    assert (bad_time.returncode, no_secret.returncode) == (2, 2)


def test_every_code_is_explained_and_an_unknown_one_is_told() -> None:
    listed, _ = explain(None)

    for code in ErrorCode:
        text, is_known = explain(code.value)
        assert is_known
        assert "what to do" in text
        assert code.value in listed
    assert explain("nonsense")[1] is False
