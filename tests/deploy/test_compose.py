"""The compose file for one host: its settings are accepted, its proxy's configuration is good.

There is no container engine on a machine of the tests; the image itself is built and started by
`make image-test`.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.certificates import create_certificates
from cluster.nginx_server import filled_in, newest_nginx
from deploy.chart import ROOT
from pytake.settings import Process, Settings, load

COMPOSE = ROOT / "k8s" / "compose"
PROCESSES: tuple[Process, ...] = ("gateway", "api", "relay")
FILLED = {"POSTGRES_PASSWORD": "secret", "JWT_SECRET": "k" * 32, "HOST": "chat.example.com"}
VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")


def interpolated() -> dict[str, Any]:
    """The file as compose reads it: variables from .env, else their defaults."""
    text = (COMPOSE / "compose.yaml").read_text()
    text = VARIABLE.sub(lambda found: FILLED.get(found[1], found[2] or ""), text)
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def variables(file: Path) -> dict[str, str]:
    lines = (line for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def test_the_settings_are_ones_that_the_processes_accept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    known = {f"PYTAKE_{name.upper()}" for name in Settings.model_fields}
    services = interpolated()["services"]

    for process in PROCESSES:
        service = services["gateway-1" if process == "gateway" else process]
        assert service["command"] == [process]
        for name, value in service["environment"].items():
            assert name in known, name
            monkeypatch.setenv(name, value)
        load(process)


def test_a_gateway_has_time_for_its_drain() -> None:
    for name in ("gateway-1", "gateway-2"):
        service = interpolated()["services"][name]
        grace = float(service["stop_grace_period"].removesuffix("s"))
        assert grace > float(service["environment"]["PYTAKE_DRAIN_SECONDS"]) + 5


def test_every_part_runs_without_root_on_a_read_only_root() -> None:
    for name, service in interpolated()["services"].items():
        if name in ("nginx", "redis", "postgres"):
            continue  # images of others
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name


def test_env_asks_for_what_has_no_default_and_nothing_else() -> None:
    text = (COMPOSE / "compose.yaml").read_text()
    required = {found[1] for found in VARIABLE.finditer(text) if f"{found[1]}:?" in text}

    assert set(variables(COMPOSE / "example.env")) >= required == set(FILLED)


def test_nginx_takes_the_configuration_that_the_container_would_get(tmp_path: Path) -> None:
    values = variables(COMPOSE / "nginx.env")
    template = (ROOT / "k8s" / "nginx" / "nginx.conf.template").read_text()
    assert set(values) == set(re.findall(r"\$\{(PYTAKE_NGINX_\w+)\}", template))
    certificates = create_certificates(tmp_path)
    (tmp_path / "temp").mkdir()
    values |= {
        "PYTAKE_NGINX_CERTIFICATE": str(certificates.certificate),
        "PYTAKE_NGINX_CERTIFICATE_KEY": str(certificates.key),
        "PYTAKE_NGINX_TEMP": str(tmp_path / "temp"),
        "PYTAKE_NGINX_PID_FILE": str(tmp_path / "nginx.pid"),
    }
    # Names are found inside the network of compose alone.
    configuration = re.sub(
        r"server [a-z][-a-z0-9]*:", "server 127.0.0.1:", filled_in("1.30", values)
    )
    (tmp_path / "nginx.conf").write_text(configuration)

    done = subprocess.run(
        [newest_nginx(), "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
