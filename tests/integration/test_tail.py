"""`pytake tail` on the real cluster: where Ana is, what she should get, and nothing else."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cluster.cluster import Cluster
from cluster.pods import pod_environment
from cluster.python_client import PythonClient
from cluster.waiting import eventually, wait_until

pytestmark = pytest.mark.integration


async def test_it_says_first_where_the_user_is_connected(cluster: Cluster, tmp_path: Path) -> None:
    organization = await asyncio.to_thread(cluster.create_organization, "Tail")
    user_id = await asyncio.to_thread(
        cluster.create_user,
        "ana@tail.example",
        organization=organization,
        role="agent",
        password="long enough",
    )
    token = cluster.token(user_id, organization=organization)
    first_words = []
    for clients in (0, 1):
        async with AsyncExitStack() as connected:
            for gateway in cluster.gateways[:clients]:
                await connected.enter_async_context(PythonClient(gateway.address, token))
            with tailing(cluster, "ana@tail.example", tmp_path / f"{clients}.txt") as output:
                await eventually(partial(_listens, output), "tail listens", 30)
                first_words.append(output.read_text().splitlines()[0])

    who = f"{user_id}, agent of {organization}"
    assert first_words[0] == f"{who}: not connected"
    assert first_words[1].startswith(f"{who}: connected on ")


@contextmanager
def tailing(cluster: Cluster, user: str, output: Path) -> Iterator[Path]:
    """`pytake tail` with its output in a file."""
    with output.open("wb") as written:
        tail = subprocess.Popen(
            [Path(sys.executable).parent / "pytake", "tail", "--user", user],
            env=pod_environment(cluster.settings) | {"PYTHONUNBUFFERED": "1"},
            cwd=cluster.folder,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        yield output
    finally:
        tail.terminate()
        tail.wait(10)


def test_a_users_events_are_followed_without_their_texts(cluster: Cluster, tmp_path: Path) -> None:
    conversation = cluster.create_conversation()
    with cluster.api(cluster.token("ana-of-tail")) as ana:
        ana.get("/conversations").raise_for_status()
    with cluster.api() as admin:
        users = admin.get("/users").json()["items"]
    (user_id,) = (each["id"] for each in users if each["name"] == "Ana-of-tail")
    with tailing(cluster, user_id, tmp_path / "tail.txt") as output:
        wait_until(lambda: "listening" in output.read_text(), "tail listens", 30)

        message = cluster.send(conversation["id"], "texto secreto")
        lines = wait_until(lambda: _events(output), "the message is followed")
        assert conversation["id"] in lines[0]
        assert f"seq {message['seq']}" in lines[0]
        assert "secreto" not in output.read_text()

        _give_to_somebody_else(cluster, conversation)
        cluster.send(conversation["id"], "not hers any more")
        other = cluster.create_conversation()
        cluster.send(other["id"], "hers")
        wait_until(lambda: other["id"] in output.read_text(), "the next of hers is followed")
        after = [line for line in _events(output) if conversation["id"] in line]
        assert len(after) == 1


def _listens(output: Path) -> bool:
    return "listening" in output.read_text()


def _events(output: Path) -> list[str]:
    return [line for line in output.read_text().splitlines() if "message:new" in line]


def _give_to_somebody_else(cluster: Cluster, conversation: dict[str, Any]) -> None:
    with cluster.api(cluster.token("rui-of-tail")) as rui:
        rui.get("/conversations").raise_for_status()
    with cluster.api() as admin:
        users = admin.get("/users").json()["items"]
        (rui_id,) = (each["id"] for each in users if each["name"] == "Rui-of-tail")
        path = f"/conversations/{conversation['id']}"
        admin.patch(path, json={"assigned_to": rui_id}).raise_for_status()
