"""From a URL to the Redis server to talk to: single, behind Sentinel, or a cluster."""

import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import RedisError
from socketio.redis_manager import parse_redis_sentinel_url

from pytake.transport.redis_link import Server

CLUSTER_SCHEMES = ("redis+cluster", "rediss+cluster")
SENTINEL_SCHEMES = ("redis+sentinel", "valkey+sentinel")


@dataclass(frozen=True)
class Address:
    """A parsed URL.

    `redis://`, `rediss://`, `unix://` as redis-py reads them; `redis+sentinel://` as
    python-socketio does; `redis+cluster://user:password@host:port,host:port`.
    """

    url: str
    options: dict[str, Any]

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme.lower()

    @property
    def is_cluster(self) -> bool:
        return self.scheme in CLUSTER_SCHEMES

    @property
    def is_sentinel(self) -> bool:
        return self.scheme in SENTINEL_SCHEMES

    async def master(self) -> Server:
        """Return the server to use now; behind Sentinel, the master of the moment.

        Raises:
            OSError: No sentinel knows a master.
        """
        if not self.is_sentinel:
            return self._single()
        sentinels, service, options = parse_redis_sentinel_url(self.url)
        options = {**self.options, **options}
        sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]
            sentinels,
            sentinel_kwargs={"socket_timeout": 1.0, "socket_connect_timeout": 1.0},
        )
        try:
            host, port = await sentinel.discover_master(service)
        except (RedisError, TimeoutError) as error:
            raise OSError(f"no sentinel knows the master: {error}") from error
        finally:
            for client in sentinel.sentinels:
                await client.aclose()
        return Server(
            host, port, int(options.get("db") or 0), options.get("username"),
            options.get("password"),
        )  # fmt: skip

    def seeds(self) -> list[Server]:
        """Return the cluster nodes that the URL names."""
        parts = urlsplit(self.url)
        credentials, _, hosts = parts.netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        tls = _tls(self.options) if parts.scheme == "rediss+cluster" else None
        seeds = []
        for each in hosts.split(","):
            host, _, port = each.partition(":")
            seeds.append(
                Server(
                    host,
                    int(port or 6379),
                    username=unquote(username) or None,
                    password=unquote(password) or self.options.get("password"),
                    tls=tls,
                )
            )
        return seeds

    def _single(self) -> Server:
        settings: dict[str, Any] = {**self.options, **parse_url(self.url)}
        secure = urlsplit(self.url).scheme == "rediss"
        return Server(
            settings.get("host") or "localhost",
            int(settings.get("port") or 6379),
            int(settings.get("db") or 0),
            settings.get("username"),
            settings.get("password"),
            _tls(settings) if secure else None,
            settings.get("path"),
        )


def _tls(settings: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.get("ssl_ca_certs"))
    if settings.get("ssl_certfile"):
        context.load_cert_chain(settings["ssl_certfile"], settings.get("ssl_keyfile"))
    if str(settings.get("ssl_cert_reqs", "required")).lower() == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
