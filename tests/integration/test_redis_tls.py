"""Every way to Redis, with TLS and a password: one server, behind sentinels, a cluster.

The servers listen for nothing but TLS, so what answers here spoke it.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from cluster.certificates import Certificates
from cluster.redis_cluster import RedisCluster
from cluster.redis_sentinel import SentinelRedis
from cluster.redis_server import RedisServer
from cluster.waiting import eventually
from conftest import serving
from pytake.broker.redis import RedisCommands, parse_address
from pytake.broker.redis_link import LinkLost, open_master
from pytake.processes.redis_client import connect_redis
from pytake.transport.redis_bus import Bus, SingleBus
from pytake.transport.redis_cluster import ClusterBus
from pytake.transport.redis_link import RedisLink as TransportLink

pytestmark = pytest.mark.integration

PASSWORD = "s3:cret@"


@pytest.fixture(scope="module", params=["single", "sentinel", "cluster"])
def secure_url(
    request: pytest.FixtureRequest, server_folder: Path, certificates: Certificates
) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        if request.param == "single":
            server = RedisServer(server_folder, password=PASSWORD, certificates=certificates)
            stack.enter_context(serving(server))
            yield f"{server.url}?ssl_ca_certs={certificates.authority}"
            return
        kind: Any = SentinelRedis if request.param == "sentinel" else RedisCluster
        servers = kind(server_folder, password=PASSWORD, certificates=certificates)
        yield stack.enter_context(servers).url


def bus_to(url: str) -> Bus:
    address = parse_address(url)
    return ClusterBus(address) if address.kind == "cluster" else SingleBus(address)


async def test_rooms_are_heard(secure_url: str) -> None:
    bus, heard = bus_to(secure_url), []
    bus.on_message = lambda channel, payload: heard.append((channel, payload))
    bus.start([b"stock"])
    try:
        bus.want(b"room")
        assert await bus.wait_confirmed(b"room", 10)

        assert await bus.publish(b"room", b"hello")

        await eventually(lambda: heard == [(b"room", b"hello")], "the message")
    finally:
        await bus.stop()


async def test_the_processes_talk_to_each_other(secure_url: str) -> None:
    commands = RedisCommands(parse_address(secure_url))
    await commands.start()
    try:
        await eventually(lambda: commands.is_up, "the link is up")

        assert await commands.calls([["PING"]]) == [b"PONG"]
    finally:
        await commands.stop()


async def test_limits_are_counted(secure_url: str) -> None:
    client = connect_redis(secure_url)
    try:
        assert await client.incr("counted") >= 1
    finally:
        await client.aclose()
    del client
    gc.collect()  # a connection that was left open says so here


async def test_a_server_of_an_unknown_authority_is_told_nothing(secure_url: str) -> None:
    url = secure_url.partition("?")[0] + "?tls=true"
    address, client = parse_address(url), connect_redis(url)

    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        await TransportLink.open(await address.master())
    with pytest.raises(LinkLost, match="CERTIFICATE_VERIFY_FAILED"):
        await open_master(address)
    with pytest.raises(RedisConnectionError):
        await client.ping()
    await client.aclose()
