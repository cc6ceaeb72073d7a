"""Redis as one server, with TLS or a password where a test wants them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import quote

import redis

from cluster.certificates import Certificates
from cluster.hosts import Host
from cluster.programs import Program, address_of, find_program, free_port


def tls_options(certificates: Certificates) -> list[tuple[str, str]]:
    """The settings of a Redis or a sentinel that shows this certificate and asks for none."""
    return [
        ("tls-cert-file", str(certificates.certificate)),
        ("tls-key-file", str(certificates.key)),
        ("tls-ca-cert-file", str(certificates.authority)),
        ("tls-auth-clients", "no"),
    ]


def login_of(password: str | None) -> str:
    """What stands before the host in an address."""
    return f":{quote(password, safe='')}@" if password else ""


def trust_query(certificates: Certificates | None) -> str:
    """What stands after an address whose scheme does not tell TLS."""
    return f"?tls=true&ssl_ca_certs={certificates.authority}" if certificates else ""


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
            command += ["--tls-port", str(tls_port), "--tls-replication", "yes"]
            for option, value in tls_options(certificates):
                command += [f"--{option}", value]
        if password:
            command += ["--requirepass", password, "--masterauth", password]
        if host is not None:
            command += ["--protected-mode", "no"]  # nobody but the cluster is on that network
        log = folder / f"redis-{self.port}.log"
        super().__init__("redis", [*command, *options], log, host=host)

    @property
    def url(self) -> str:
        scheme = "rediss" if self.certificates else "redis"
        return f"{scheme}://{login_of(self.password)}{self.address}:{self.port}/0"

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
