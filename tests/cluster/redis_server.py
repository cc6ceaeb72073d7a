"""Redis as one server, with TLS or a password where a test wants them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import quote

import redis

from cluster.certificates import Certificates
from cluster.hosts import Host
from cluster.programs import Program, address_of, find_program, free_port


class RedisServer(Program):
    """A Redis that keeps everything in memory: a restart is an empty restart."""

    def __init__(
        self,
        folder: Path,
        *,
        password: str | None = None,
        certificates: Certificates | None = None,
        options: tuple[str, ...] = (),
        host: Host | None = None,
    ) -> None:
        self.port = free_port()
        self.address = address_of(host)
        self.password = password
        self.certificates = certificates
        plain_port, tls_port = (0, self.port) if certificates else (self.port, 0)
        command = [
            str(find_program("redis-server")),
            *("--bind", self.address, "--port", str(plain_port), "--dir", str(folder)),
            *("--save", "", "--appendonly", "no"),
        ]
        if certificates:
            command += ["--tls-port", str(tls_port), "--tls-auth-clients", "no"]
            command += ["--tls-cert-file", str(certificates.certificate)]
            command += ["--tls-key-file", str(certificates.key)]
            command += ["--tls-ca-cert-file", str(certificates.authority)]
        if password:
            command += ["--requirepass", password]
        if host is not None:
            command += ["--protected-mode", "no"]  # nobody but the cluster is on that network
        log = folder / f"redis-{self.port}.log"
        super().__init__("redis", [*command, *options], log, host=host)

    @property
    def url(self) -> str:
        scheme = "rediss" if self.certificates else "redis"
        login = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"{scheme}://{login}{self.address}:{self.port}/0"

    def client(self) -> redis.Redis:
        """A synchronous client, for a test's own look into the server."""
        trust = {"ssl_ca_certs": str(self.certificates.authority)} if self.certificates else {}
        return redis.Redis.from_url(self.url, socket_timeout=5, **trust)

    def is_serving(self) -> bool:
        with contextlib.suppress(redis.ConnectionError), self.client() as client:
            return bool(client.ping())
        return False

    def empty(self) -> None:
        """Forget every key."""
        with self.client() as client:
            client.flushall()
