"""A Redis master with a replica, watched by three sentinels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import redis

from cluster.certificates import Certificates
from cluster.programs import Program, find_program, free_port, is_listening
from cluster.redis_server import RedisServer, login_of, tls_options, trust_query
from cluster.waiting import wait_until

MASTER_NAME = "pytake"
_CONFIGURATION = """\
bind 127.0.0.1
dir {folder}
sentinel monitor {name} 127.0.0.1 {master_port} 2
sentinel down-after-milliseconds {name} 1000
sentinel failover-timeout {name} 5000
"""


class Sentinel(Program):
    """One sentinel. It rewrites its own configuration, so each start begins with what it knows."""

    def __init__(self, folder: Path, master: RedisServer) -> None:
        self.port = free_port()
        self.certificates = master.certificates
        configuration = folder / f"sentinel-{self.port}.conf"
        configuration.write_text(self._configuration(folder, master))
        super().__init__(
            "sentinel",
            [find_program("redis-sentinel"), configuration],
            folder / f"sentinel-{self.port}.log",
        )

    def _configuration(self, folder: Path, master: RedisServer) -> str:
        text = _CONFIGURATION.format(folder=folder, name=MASTER_NAME, master_port=master.port)
        if master.password:
            text += f"sentinel auth-pass {MASTER_NAME} {master.password}\n"
        if self.certificates is None:
            return f"{text}port {self.port}\n"
        options = (*tls_options(self.certificates), ("tls-replication", "yes"))
        secure = "".join(f"{option} {value}\n" for option, value in options)
        return f"{text}port 0\ntls-port {self.port}\n{secure}"

    def is_serving(self) -> bool:
        return is_listening(self.port)


class SentinelRedis:
    """Two servers and three sentinels; `with` starts and stops them."""

    def __init__(
        self,
        folder: Path,
        *,
        password: str | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        # Redis waits 5 s for more replicas before it fills the first.
        at_once = ("--repl-diskless-sync-delay", "0")
        secrets: Any = {"password": password, "certificates": certificates}
        first = RedisServer(folder, options=at_once, **secrets)
        replica = ("--replicaof", "127.0.0.1", str(first.port))
        second = RedisServer(folder, options=(*at_once, *replica), **secrets)
        self.servers = [first, second]
        self.sentinels = [Sentinel(folder, first) for _ in range(3)]

    @property
    def url(self) -> str:
        """As python-socketio and `PYTAKE_REDIS_URL` write it."""
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        first = self.servers[0]
        query = trust_query(first.certificates)
        return f"redis+sentinel://{login_of(first.password)}{hosts}/0/{MASTER_NAME}{query}"

    def master(self) -> RedisServer | None:
        """Which server is the master, and has been promoted already, or None meanwhile."""
        for server in self.servers:
            if server.is_serving():
                with server.client() as client:
                    if client.info("replication")["role"] == "master":
                        return server
        return None

    def __enter__(self) -> Self:
        try:
            # First the replica: a sentinel that does not find it at once looks again after 10 s.
            for server in self.servers:
                server.start()
            for server in self.servers:
                server.wait_until_serving()
            wait_until(self._is_replicated, "the replica is in step with the master")
            for sentinel in self.sentinels:
                sentinel.start()
            for sentinel in self.sentinels:
                sentinel.wait_until_serving()
            wait_until(self._is_watched, "the sentinels know the replica and each other")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for program in (*self.sentinels, *self.servers):
            if program.is_running:
                program.kill()

    def _is_replicated(self) -> bool:
        with self.servers[1].client() as client:
            return bool(client.info("replication")["master_link_status"] == "up")

    def _is_watched(self) -> bool:
        return all(
            watched["num-slaves"] == 1 and watched["num-other-sentinels"] == 2
            for watched in map(_watched_by, self.sentinels)
        )


def _watched_by(sentinel: Sentinel) -> dict[str, int]:
    trust: Any = {}
    if sentinel.certificates is not None:
        trust = {"ssl": True, "ssl_ca_certs": str(sentinel.certificates.authority)}
    with redis.Redis("127.0.0.1", sentinel.port, decode_responses=True, **trust) as client:
        master: dict[str, int] = client.sentinel_master(MASTER_NAME)
        return master
