"""A Redis Cluster of three masters, whose slots can be moved while it serves."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Self

from cluster.certificates import Certificates
from cluster.programs import free_port
from cluster.redis_server import RedisServer, login_of, trust_query
from cluster.waiting import wait_until

SLOTS = 16384


class RedisCluster:
    """Three servers with a third of the slots each; `with` starts and stops them."""

    def __init__(
        self,
        folder: Path,
        *,
        masters: int = 3,
        password: str | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._password, self._certificates = password, certificates
        self.nodes = [self._node(folder) for _ in range(masters)]

    def _node(self, folder: Path) -> RedisServer:
        # The bus has a port of its own choice: port + 10000 may be somebody's outgoing connection.
        bus = free_port()
        return RedisServer(
            folder,
            password=self._password,
            certificates=self._certificates,
            options=(
                *("--tls-cluster", "yes" if self._certificates else "no"),
                *("--cluster-enabled", "yes", "--cluster-port", str(bus)),
                *("--cluster-config-file", f"nodes-{bus}.conf", "--cluster-node-timeout", "2000"),
            ),
        )

    @property
    def url(self) -> str:
        """As `PYTAKE_REDIS_URL` writes it."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        query = trust_query(self._certificates)
        return f"redis+cluster://{login_of(self._password)}{hosts}{query}"

    def __enter__(self) -> Self:
        try:
            for node in self.nodes:
                node.start()
            for node in self.nodes:
                node.wait_until_serving()
            self._form()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            if node.is_running:
                node.kill()

    def owner_of(self, slot: int) -> RedisServer:
        """The node that serves a slot."""
        owner = next(each for each in _ranges(self.nodes[0]) if each[0] <= slot <= each[1])
        return next(node for node in self.nodes if node.port == owner[2])

    def move_slot(self, slot: int, target: RedisServer) -> None:
        """Migrate one slot with its keys to another node, as an operator's tool would."""
        source = self.owner_of(slot)
        ids = {node.port: _id_of(node) for node in self.nodes}
        with source.client() as old, target.client() as new:
            new.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source.port])
            old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target.port])
            while keys := old.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
                move = ("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
                old.execute_command(*move)
        for node in (target, source, *self.nodes):
            with node.client() as client:
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target.port])

    def _form(self) -> None:
        share = SLOTS // len(self.nodes)
        starts = [share * number for number in range(len(self.nodes))]
        bounds = itertools.pairwise([*starts, SLOTS])
        # A node takes an epoch only while it knows no other: all of them before the first meeting.
        for number, (node, (first, end)) in enumerate(zip(self.nodes, bounds, strict=True)):
            with node.client() as client:
                client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
                client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
        for node in self.nodes:
            with node.client() as client:
                for other in self.nodes:
                    if other is not node:
                        bus = other.command[other.command.index("--cluster-port") + 1]
                        client.execute_command("CLUSTER MEET", "127.0.0.1", other.port, bus)
        wait_until(self._is_formed, "every node sees every slot", 20)

    def _is_formed(self) -> bool:
        return all(self._knows_all(node) for node in self.nodes)

    def _knows_all(self, node: RedisServer) -> bool:
        with node.client() as client:
            state = client.execute_command("CLUSTER INFO")["cluster_state"]
        return state == "ok" and len(_ranges(node)) == len(self.nodes)


def _id_of(node: RedisServer) -> str:
    with node.client() as client:
        identity: bytes = client.execute_command("CLUSTER MYID")
        return identity.decode()


def _ranges(node: RedisServer) -> list[tuple[int, int, int]]:
    """First slot, last slot and port of each range, as this node sees it."""
    with node.client() as client:
        slots = client.execute_command("CLUSTER SLOTS")
    return [(first, last, master[1]) for first, last, master, *_ in slots]
