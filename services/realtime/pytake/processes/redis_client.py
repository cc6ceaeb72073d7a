"""A client for each kind of Redis address that the settings take."""

from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode

TIMEOUT_SECONDS = 2.0


def connect_redis(url: str, *, timeout: float = TIMEOUT_SECONDS) -> Any:
    """Return a client for commands; nothing is opened before the first one.

    Addresses: `redis://`, `rediss://`; `redis+sentinel://host:port,host:port/master/0`;
    `redis+cluster://host:port,host:port`. A user and a password stand before the `@`.
    """
    options: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    parts = urlsplit(url)
    if parts.scheme == "redis+sentinel":
        master, _, database = parts.path.lstrip("/").partition("/")
        make: Any = Sentinel
        sentinel = make(_hosts(parts, 26379), sentinel_kwargs=options)
        return sentinel.master_for(
            master or "mymaster", db=int(database or 0), **_login(parts), **options
        )
    if parts.scheme == "redis+cluster":
        nodes = [ClusterNode(host, port) for host, port in _hosts(parts, 6379)]
        return RedisCluster(startup_nodes=nodes, **_login(parts), **options)
    return Redis.from_url(url, **options)


def _hosts(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    hosts: list[tuple[str, int]] = []
    for each in parts.netloc.rpartition("@")[2].split(","):
        host, _, port = each.rpartition(":") if ":" in each else (each, "", "")
        hosts.append((host.strip("[]"), int(port or default_port)))
    return hosts


def _login(parts: SplitResult) -> dict[str, Any]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    login = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in login.items() if value}
