"""A Kubernetes cluster on loopback: the real API server, controllers and scheduler over etcd.

What Kubernetes decides is real here; what a kubelet does is not: `kubelets.py` plays it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cluster.certificates import create_certificates
from cluster.programs import Program, ProgramMissing, free_port, is_listening, temporary_folder
from cluster.waiting import wait_until
from deploy.chart import ROOT
from deploy.kubernetes.kubectl import Kubectl
from deploy.kubernetes.kubelets import Kubelets

BUILT = ROOT / ".tools" / "kubernetes"
ZONES = ("a", "b", "c")
ISSUER = "https://kubernetes.default.svc"
TOKEN = "administrator"


class _Server(Program):
    """A part of the cluster that serves on a port."""

    def __init__(self, name: str, port: int, *args: Any, **options: Any) -> None:
        super().__init__(name, *args, **options)
        self.port = port

    def is_serving(self) -> bool:
        return is_listening(self.port)


class ControlPlane:
    """Starts a cluster of three nodes in three zones, and ends all of it."""

    def __init__(self) -> None:
        self._program = BUILT / "kubernetes"
        if not self._program.exists():
            raise ProgramMissing("left out: Kubernetes is not built (make cluster-test)")
        self.folder = temporary_folder("kubernetes")
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubectl = Kubectl(self.kubeconfig, self.folder)
        self._programs: list[Program] = []
        self._kubelets: Kubelets | None = None

    def __enter__(self) -> ControlPlane:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self) -> None:
        certificates = create_certificates(self.folder)
        self._write_keys()
        etcd, api = free_port(), free_port()
        self._write_kubeconfig(api, certificates.authority)
        self._serve("etcd", etcd, _etcd(etcd, free_port(), self.folder))
        self._serve("apiserver", api, _apiserver(api, etcd, self.folder))
        wait_until(self.kubectl.is_ready, "the API server is ready", 120)
        common = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0"]
        keys = [
            f"--service-account-private-key-file={self.folder / 'accounts.key'}",
            f"--root-ca-file={certificates.authority}",
        ]
        # The nodes are played: none reports, so none is missed.
        self._run("controller-manager", [*common, *keys, "--node-monitor-grace-period=24h"])
        self._run("scheduler", common)
        self._kubelets = Kubelets(f"https://127.0.0.1:{api}", certificates.authority, TOKEN)
        self._kubelets.start()
        for zone in ZONES:
            self._kubelets.register(zone)
        wait_until(self._nodes_take_pods, "the nodes take pods", 120)

    def _stop(self) -> None:
        """End the parts, the last started first; one that does not end costs the others nothing."""
        if self._kubelets is not None:
            self._kubelets.stop()
        errors = []
        for program in reversed(self._programs):
            try:
                program.stop(20)
            except (TimeoutError, subprocess.SubprocessError) as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _serve(self, name: str, port: int, options: list[str]) -> None:
        self._add(_Server(name, port, *self._command(name, options))).wait_until_serving(120)

    def _run(self, name: str, options: list[str]) -> None:
        self._add(Program(name, *self._command(name, options)))

    def _add(self, program: Program) -> Program:
        self._programs.append(program)
        program.env = os.environ | {"HOME": str(self.folder)}
        program.start()
        return program

    def _command(self, name: str, options: list[str]) -> tuple[list[str | Path], Path]:
        return [self._program, name, *options], self.folder / f"{name}.log"

    def _nodes_take_pods(self) -> bool:
        return all("taints" not in node["spec"] for node in self.kubectl.items("nodes"))

    def _write_keys(self) -> None:
        """The key that signs the tokens of service accounts, and the token of the administrator."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (self.folder / "accounts.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        (self.folder / "tokens.csv").write_text(f"{TOKEN},admin,1,system:masters\n")

    def _write_kubeconfig(self, port: int, authority: Path) -> None:
        server = {
            "server": f"https://127.0.0.1:{port}",
            "certificate-authority": str(authority),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))


def _etcd(clients: int, peers: int, folder: Path) -> list[str]:
    at, among = f"http://127.0.0.1:{clients}", f"http://127.0.0.1:{peers}"
    return [
        f"--data-dir={folder / 'etcd'}",
        *(f"--listen-client-urls={at}", f"--advertise-client-urls={at}"),
        *(f"--listen-peer-urls={among}", f"--initial-advertise-peer-urls={among}"),
        f"--initial-cluster=default={among}",
        *("--unsafe-no-fsync", "--log-level=warn"),
    ]


def _apiserver(port: int, etcd: int, folder: Path) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={port}"),
        # Of itself it would publish its address, and loopback is none that may be published.
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={folder / 'server.pem'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={folder / 'accounts.key'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--service-cluster-ip-range=10.96.0.0/16",
    ]
