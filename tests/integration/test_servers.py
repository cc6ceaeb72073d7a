"""The servers that the other suites stand on start, restart, and are fresh for each test."""

from __future__ import annotations

import asyncio
import signal
import ssl
from pathlib import Path

import asyncpg
import httpx
import pytest

from cluster.certificates import Certificates
from cluster.nginx_server import Flavor, NginxServer
from cluster.pgbouncer_server import PgBouncerServer
from cluster.postgres_server import PostgresServer
from cluster.programs import Program, ProgramFailed
from cluster.redis_cluster import RedisCluster
from cluster.redis_sentinel import SentinelRedis
from cluster.redis_server import RedisServer
from cluster.waiting import wait_until
from conftest import serving

pytestmark = pytest.mark.integration


def test_a_password_and_tls_protect_redis(server_folder: Path, certificates: Certificates) -> None:
    server = RedisServer(server_folder, password="s3:cret@", certificates=certificates)

    with serving(server), server.client() as client:
        assert client.set("a", "1")
        assert server.url.startswith("rediss://:s3%3Acret%40@")


def test_redis_restarts_empty_on_the_same_port(server_folder: Path) -> None:
    server = RedisServer(server_folder)

    with serving(server):
        with server.client() as client:
            client.set("a", "1")
        server.kill()
        assert not server.is_running
        server.start()
        server.wait_until_serving()

        with server.client() as client:
            assert client.get("a") is None


def test_sentinels_promote_the_replica_of_a_lost_master(server_folder: Path) -> None:
    with SentinelRedis(server_folder) as redis:
        first, second = redis.servers
        assert redis.master() is first

        first.kill()

        wait_until(lambda: redis.master() is second, "the replica is promoted", 15)


def test_a_slot_moves_between_masters_with_its_keys(server_folder: Path) -> None:
    with RedisCluster(server_folder) as redis:
        key, slot = "{a}:1", 15495  # CLUSTER KEYSLOT a
        source, target = redis.owner_of(slot), redis.nodes[0]
        assert source is not target
        with source.client() as client:
            client.set(key, "kept")

        redis.move_slot(slot, target)

        assert redis.owner_of(slot) is target
        with target.client() as client:
            assert client.get(key) == b"kept"


def test_each_database_is_a_copy_of_its_template(postgres_server: PostgresServer) -> None:
    template = postgres_server.create_database()
    postgres_server.execute("CREATE TABLE t AS SELECT 42 AS answer", database=template)

    first, second = (postgres_server.create_database(template=template) for _ in range(2))
    postgres_server.execute("DELETE FROM t", database=first)

    assert postgres_server.execute("SELECT answer FROM t", database=second) == 42
    for name in (first, second, template):
        postgres_server.drop_database(name)


async def test_the_pooler_gives_a_session_back_after_each_transaction(
    pgbouncer_server: PgBouncerServer, postgres_server: PostgresServer
) -> None:
    name = postgres_server.create_database()
    url = pgbouncer_server.database_url(name)
    connections = [await asyncpg.connect(url, statement_cache_size=0) for _ in range(20)]

    # With the pool of 10 that the configuration has, 20 idle clients would block in session mode.
    sessions = [await each.fetchval("SELECT pg_backend_pid()") for each in connections]

    assert len(set(sessions)) <= 10
    for each in connections:
        await each.close()
    postgres_server.drop_database(name)


@pytest.fixture(params=["1.30", "1.22"])
def flavor(request: pytest.FixtureRequest) -> Flavor:
    value: Flavor = request.param
    return value


async def test_nginx_splits_the_paths_and_names_the_client(
    server_folder: Path, certificates: Certificates, flavor: Flavor
) -> None:
    async with answering("gateway") as gateway, answering("api") as api:
        proxy = NginxServer(
            server_folder, certificates, gateways=[gateway], apis=[api], flavor=flavor
        )
        with serving(proxy):
            async with https_client(proxy) as client:
                live = await client.get("/socket.io/?EIO=4", headers={"X-Forwarded-For": "1.2.3.4"})
                page = await client.get("/anything")
                plain = await client.get(f"{proxy.http_url}/x?y=1")

    assert live.text.startswith("gateway")
    assert page.text.startswith("api")
    assert "x-forwarded-for: 127.0.0.1\r\n" in live.text.lower()
    assert "1.2.3.4" not in live.text
    assert plain.status_code == 308
    assert plain.headers["location"] == f"{proxy.url}/x?y=1"


async def test_the_cookie_keeps_a_client_at_its_gateway(
    server_folder: Path, certificates: Certificates
) -> None:
    async with answering("a") as first, answering("b") as second:
        proxy = NginxServer(server_folder, certificates, gateways=[first, second], apis=[first])
        with serving(proxy):
            pods = set()
            for _ in range(6):
                async with https_client(proxy) as client:
                    answers = [(await client.get("/socket.io/")).text[0] for _ in range(4)]
                assert len(set(answers)) == 1
                pods.add(answers[0])

    assert pods == {"a", "b"}


async def test_a_refused_handshake_goes_to_the_next_gateway_and_a_post_never(
    server_folder: Path, certificates: Certificates
) -> None:
    async with answering("draining", status=503) as full, answering("b") as second:
        proxy = NginxServer(server_folder, certificates, gateways=[full, second], apis=[full])
        with serving(proxy):
            handshakes, posts = [], []
            for _ in range(6):
                async with https_client(proxy) as client:
                    handshakes.append((await client.get("/socket.io/")).status_code)
            for _ in range(6):
                async with https_client(proxy) as client:
                    posts.append((await client.post("/socket.io/", content=b"2")).status_code)

    assert handshakes == [200] * 6
    assert set(posts) == {200, 503}


def test_a_program_that_ends_at_once_says_its_last_words(tmp_path: Path) -> None:
    program = Program("sh", ["sh", "-c", "echo no such port; exit 7"], tmp_path / "log")
    program.start()
    assert program.wait(5) == 7

    with pytest.raises(ProgramFailed, match=r"ended with 7(?s:.*)no such port"):
        program.wait_until_serving()


def test_a_frozen_program_is_stopped_all_the_same(tmp_path: Path) -> None:
    program = Program("sleep", ["sleep", "60"], tmp_path / "log")
    program.start()
    program.freeze()

    assert program.stop() == -signal.SIGTERM


# --- A server that answers every request with its name and what it was asked ----------------------


class answering:  # noqa: N801 - used like a function
    """An HTTP server; entering it gives its address."""

    def __init__(self, name: str, status: int = 200) -> None:
        self.name = name
        self.status = status

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = self.name.encode() + b"\n" + head
        status = f"HTTP/1.1 {self.status} -\r\nConnection: close\r\n"
        writer.write(f"{status}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


def https_client(proxy: NginxServer) -> httpx.AsyncClient:
    context: ssl.SSLContext = proxy.certificates.client_context()
    return httpx.AsyncClient(base_url=proxy.url, verify=context)
