"""A redis-py client for each kind of address, where a pool and all commands are wanted.

What processes say to each other goes over `broker.redis`, whose one link keeps order.
"""

from typing import Any

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode

from pytake.broker.redis import parse_address

TIMEOUT_SECONDS = 2.0


def connect_redis(url: str, *, timeout: float = TIMEOUT_SECONDS) -> Any:
    """Return a client for commands; nothing is opened before the first one.

    Raises:
        ValueError: The address is none of ours.
    """
    address = parse_address(url)
    options: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    login: dict[str, Any] = {"username": address.username, "password": address.password}
    if address.kind == "single":
        # As the address says, with its own options such as `ssl_ca_certs`.
        return Redis.from_url(url, **options)
    if address.tls is not None:
        options |= {"ssl": True}
    if address.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in address.nodes]
        return RedisCluster(startup_nodes=nodes, **login, **options)
    make: Any = Sentinel
    sentinel = make(list(address.nodes), sentinel_kwargs=options)
    return sentinel.master_for(address.service, db=address.database, **login, **options)
