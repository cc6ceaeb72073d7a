"""One process of ours, started as an operator would start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import httpx

from cluster.hosts import Host
from cluster.programs import Program, ProgramFailed
from cluster.waiting import scaled

PodKind = Literal["gateway", "api", "relay", "simulate-whatsapp"]

_PYTAKE = Path(sys.executable).parent / "pytake"
# All that a pod gets beside its own settings.
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")


class Pod(Program):
    """A `pytake` process that serves.

    It chooses its ports itself and names them in its `listening` line. A restart keeps them, so
    that the proxy finds it again. `logs` are those of every pod of this run.
    """

    logs: ClassVar[set[Path]] = set()

    def __init__(
        self,
        kind: PodKind,
        name: str,
        folder: Path,
        settings: Mapping[str, str],
        host: Host | None = None,
    ) -> None:
        chosen = {**settings, "PYTAKE_PORT": "0", "PYTAKE_METRICS_PORT": "0"}
        if host is not None:
            chosen["PYTAKE_HOST"] = host.address
        environment = pod_environment(chosen)
        # The folder holds no .env: only these settings count.
        super().__init__(
            name, [_PYTAKE, kind], folder / f"{name}.log", env=environment, folder=folder, host=host
        )
        self.kind = kind
        Pod.logs.add(self.log)
        self._listening: dict[str, Any] = {}
        self._log_start = 0

    @property
    def address(self) -> str:
        """Where clients reach it, without the proxy."""
        return _url(self._listening["address"])

    @property
    def inner_address(self) -> str:
        """Where its probes, metrics and the drain hook are."""
        return _url(self._listening["inner_address"])

    def start(self) -> None:
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._listening = {}
        super().start()

    def is_serving(self) -> bool:
        """Whether `/readyz` says so (the simulator has none: it serves once it listens)."""
        if not self.has_named_ports():
            return False
        if self.kind == "simulate-whatsapp":
            return True
        return self.probe("/readyz") == 200

    def has_named_ports(self) -> bool:
        """Whether its `listening` line has come; before that it has no address."""
        if not self._listening:
            self._listening = next(
                (line for line in self.log_lines() if line.get("event") == "listening"), {}
            )
            if self._listening:
                self._keep_ports()
        return bool(self._listening)

    def probe(self, path: str) -> int | None:
        """The status with which the inner port answers, or None if it does not."""
        try:
            return httpx.get(self.inner_address + path, timeout=scaled(2)).status_code
        except httpx.TransportError:
            return None

    def metrics(self) -> str:
        """What Prometheus would read."""
        answer = httpx.get(self.inner_address + "/metrics", timeout=scaled(5))
        return answer.raise_for_status().text

    def log_lines(self) -> list[dict[str, Any]]:
        """What it logged since its last start; lines that are no JSON are left out."""
        if not self.log.exists():
            return []
        lines: list[dict[str, Any]] = []
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            for line in log:
                if line.startswith(b"{") and line.endswith(b"}\n"):
                    lines.append(json.loads(line))
        return lines

    def _keep_ports(self) -> None:
        assert self.env is not None
        for variable, field in (
            ("PYTAKE_PORT", "address"),
            ("PYTAKE_METRICS_PORT", "inner_address"),
        ):
            if address := self._listening.get(field):
                self.env[variable] = str(httpx.URL(_url(address)).port)


def _url(address: str) -> str:
    return address if "://" in address else f"http://{address}"


def run_pytake(*arguments: str, settings: Mapping[str, str], folder: Path, stdin: str = "") -> str:
    """Run a command that ends by itself and return what it printed.

    Raises:
        ProgramFailed: It ended with another status than 0.
    """
    done = subprocess.run(
        [_PYTAKE, *arguments],
        env=pod_environment(settings),
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=scaled(60),
    )
    if done.returncode != 0:
        raise ProgramFailed(
            f"pytake {arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def pod_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a pod: what every process needs, and its settings."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | dict(settings)
