"""A redis-py client for each kind of address, where a pool and all commands are wanted.

What processes say to each other goes over `broker.redis`, whose one link keeps order.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisClusterException
from redis.exceptions import TimeoutError as RedisTimeoutError

from pytake.broker.redis import parse_address
from pytake.broker.redis_link import ReplyError
from pytake.domain.errors import Unavailable

TIMEOUT_SECONDS = 2.0


def connect_redis(url: str, *, timeout: float | None = TIMEOUT_SECONDS) -> Any:
    """Return a client for commands; nothing is opened before the first one.

    Raises:
        ValueError: The address is none of ours.
    """
    address = parse_address(url)
    options: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    login: dict[str, Any] = {"username": address.username, "password": address.password}
    if address.tls is not None:
        options |= {"ssl": True, **address.tls_options}
    if address.kind == "single":
        host, port = address.nodes[0]
        return Redis(host=host, port=port, db=address.database, **login, **options)
    if address.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in address.nodes]
        return _Cluster(startup_nodes=nodes, **login, **options)
    make: Any = Sentinel
    sentinel = make(list(address.nodes), sentinel_kwargs=options)
    return sentinel.master_for(
        address.service,
        connection_pool_class=_MasterPool,
        db=address.database,
        **login,
        **options,
    )


class _Cluster(RedisCluster):
    """Says that it is away as a single server does; redis-py has an error of no family for it."""

    async def initialize(self, *args: Any, **options: Any) -> RedisCluster:
        try:
            return await super().initialize(*args, **options)
        except RedisClusterException as error:
            raise RedisConnectionError(str(error)) from error


class _MasterPool(SentinelConnectionPool):
    """Connections to the master; those to the sentinels, by which it is found, end with them."""

    async def aclose(self) -> None:
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


class ClusterCommands:
    """Commands with keys for a Redis Cluster: each goes to the node of its key.

    What limits and viewers need of `RedisCommands`, whose one link knows one node only.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    async def calls(self, commands: Sequence[Sequence[str | bytes | int | float]]) -> list[Any]:
        """Return the replies; refusals of Redis are exceptions among them.

        Raises:
            Unavailable: The cluster is away.
        """
        replies = await asyncio.gather(
            *(self._client.execute_command(*command) for command in commands),
            return_exceptions=True,
        )
        for reply in replies:
            if isinstance(reply, RedisConnectionError | RedisTimeoutError | OSError):
                raise Unavailable(detail="Redis is away.")
        return [_as_of_a_link(reply) for reply in replies]


def _as_of_a_link(reply: Any) -> Any:
    """Return what Redis sent: redis-py makes maps and sets of lists, and drops error codes."""
    if isinstance(reply, dict):
        return [part for pair in reply.items() for part in pair]
    if isinstance(reply, NoScriptError):
        return ReplyError(f"NOSCRIPT {reply}")
    return list(reply) if isinstance(reply, set) else reply
