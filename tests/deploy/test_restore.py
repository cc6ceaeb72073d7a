"""A backup, a restore and a new epoch, with clients that stay: what docs/upgrade.md tells."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cluster import Cluster
from cluster.js_client import JsClients
from cluster.postgres_server import PostgresServer
from cluster.programs import find_program
from cluster.waiting import scaled
from conftest import left_out_if_missing

pytestmark = pytest.mark.integration


@pytest.fixture
def cluster(postgres_server: PostgresServer) -> Iterator[Cluster]:
    with left_out_if_missing():
        made = Cluster(postgres=postgres_server)
    with made:
        yield made


def postgres_program(name: str) -> Path:
    return find_program(name, f"/usr/lib/postgresql/*/bin/{name}")


def run(name: str, *arguments: str | Path) -> None:
    subprocess.run(
        [postgres_program(name), *arguments], check=True, capture_output=True, timeout=scaled(60)
    )


async def test_after_a_restore_clients_learn_that_their_cursors_are_of_another_life(
    cluster: Cluster, tmp_path: Path
) -> None:
    url, dump = cluster.database_url("postgresql"), tmp_path / "chat.dump"
    room = (await asyncio.to_thread(cluster.create_conversation))["id"]
    kept = [await asyncio.to_thread(cluster.send, room, f"kept {number}") for number in range(3)]
    async with JsClients(cluster.url, cluster.certificates.authority) as clients:
        client = await clients.connect(cluster.token("ana"), transports=["websocket"])
        await client.next("$connect", within_seconds=15)
        await client.call("join_conversation", {"conversation_id": room, "last_seq": 0})
        before = await client.next("joined_conversation")
        await asyncio.to_thread(run, "pg_dump", "--format=custom", f"--file={dump}", url)
        for number in range(4):
            lost = await asyncio.to_thread(cluster.send, room, f"lost {number}")
        await client.next("message:new", where=lambda message: message["seq"] == lost["seq"])

        await asyncio.to_thread(restore, cluster, url, dump)

        await client.next("$connect", within_seconds=30)
        ask = {"conversation_id": room, "last_seq": lost["seq"], "epoch": before["epoch"]}
        assert (await client.call("join_conversation", ask))["ok"]
        after = await client.next("joined_conversation")
        assert after["recovered"] is False, "the client loads the conversation anew"
        assert after["epoch"] != before["epoch"]
        assert after["seq"] == kept[-1]["seq"]
        said = await asyncio.to_thread(cluster.send, room, "and life goes on")
        assert said["seq"] == kept[-1]["seq"] + 1
        received = await client.next(
            "message:new", where=lambda message: message["id"] == said["id"]
        )
        assert received["seq"] == said["seq"], "a number that was used before, for another message"

    with cluster.api() as api:
        items = api.get(f"/conversations/{room}/messages").json()["items"]
    texts = [message["content"]["text"] for message in items]
    assert texts == ["kept 0", "kept 1", "kept 2", "and life goes on"]


def restore(cluster: Cluster, url: str, dump: Path) -> None:
    """Every pod is ended first: none may write into a database that comes and goes."""
    for pod in cluster.pods:
        pod.stop()
    run("pg_restore", "--clean", "--if-exists", f"--dbname={url}", dump)
    cluster.run("migrate", "--new-epoch")
    for pod in cluster.pods:
        pod.start()
    for pod in cluster.pods:
        pod.wait_until_serving()


async def test_without_a_new_epoch_a_client_would_be_ahead_of_the_log(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Forgotten `--new-epoch`: the head is behind the cursor, and that alone is noticed, too."""
    room = (await asyncio.to_thread(cluster.create_conversation))["id"]
    await asyncio.to_thread(cluster.send, room, "the only one")
    async with JsClients(cluster.url, cluster.certificates.authority) as clients:
        client = await clients.connect(cluster.token("ana"), transports=["websocket"])
        await client.next("$connect", within_seconds=15)

        answer = await client.call("join_conversation", {"conversation_id": room, "last_seq": 9})

        assert answer["ok"]
        assert (await client.next("joined_conversation"))["recovered"] is False
