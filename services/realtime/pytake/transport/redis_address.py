"""Where Redis is: one server, the master behind sentinels, or a cluster.

    redis://user:password@host:6379/0          unix:///path/of/socket
    redis+sentinel://user:password@h1:26379,h2:26379/0/master
    redis+cluster://user:password@h1:6379,h2:6379

`rediss` in place of `redis`, or `?tls=true`, is TLS, with servers and with sentinels.
Further options are those of redis-py: `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`,
`ssl_cert_reqs`, `ssl_check_hostname`. The login is percent-encoded, and for the servers;
sentinels are asked without one.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import hiredis

from pytake.transport.redis_link import LinkLost, RedisLink, Server

SENTINEL_SECONDS = 1.0

Node = tuple[str, int]
Kind = Literal["single", "sentinel", "cluster"]

_KINDS: dict[str, Kind] = {
    "redis": "single",
    "rediss": "single",
    "unix": "single",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "valkey+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
_DEFAULT_PORTS: dict[Kind, int] = {"single": 6379, "sentinel": 26379, "cluster": 6379}
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A parsed address.

    Attributes:
        nodes: The server, the sentinels, or some nodes of the cluster.
        service: The master's name, as the sentinels know it.
        tls: What links speak TLS with; None is clear text.
        tls_options: The same in redis-py's words.
    """

    kind: Kind
    nodes: tuple[Node, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    service: str = ""
    tls: ssl.SSLContext | None = None
    tls_options: Mapping[str, Any] = field(default_factory=dict)
    unix_path: str | None = None

    def server(self, node: Node) -> Server:
        """Return how to reach and log in to one of the servers."""
        login = (self.username, self.password)
        return Server(*node, self.database, *login, self.tls, self.unix_path)

    async def master(self) -> Server:
        """Return the server to use now; behind Sentinel, the master of the moment.

        Raises:
            OSError: No sentinel knows a master.
        """
        if self.kind != "sentinel":
            return self.server(self.nodes[0])
        reasons = []
        for node in self.nodes:
            try:
                async with asyncio.timeout(SENTINEL_SECONDS):
                    return self.server(await self._ask(Server(*node, tls=self.tls)))
            except (OSError, hiredis.ReplyError) as error:
                reasons.append(f"{node[0]}:{node[1]}: {error or type(error).__name__}")
        raise LinkLost(f"no sentinel knows the master {self.service}: {'; '.join(reasons)}")

    async def _ask(self, sentinel: Server) -> Node:
        link = await RedisLink.open(sentinel)
        try:
            reply = await link.call("SENTINEL", "MASTER", self.service)
        finally:
            link.close()
        told = dict(zip(reply[::2], reply[1::2], strict=True))
        if {b"s_down", b"o_down"} & set(told[b"flags"].split(b",")):
            raise LinkLost("the master is down")
        return told[b"ip"].decode(), int(told[b"port"])


def parse_address(url: str, options: Mapping[str, Any] | None = None) -> RedisAddress:
    """Return the address that the URL names.

    Args:
        url: One of those above.
        options: What redis-py would take beside it; the URL goes first.

    Raises:
        ValueError: It is none of ours.
        OSError: A file that it names cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme not in _KINDS:
        raise ValueError(f"unknown scheme {parts.scheme!r}")
    kind = _KINDS[parts.scheme]
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    settings = {**(options or {}), **query}
    login, _, hosts = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    database, service = _path(kind, parts)
    tls_options = _tls_options(settings)
    is_secure = parts.scheme.startswith("rediss") or any(
        _flag(settings.get(name, False)) for name in ("tls", "ssl")
    )
    return RedisAddress(
        kind=kind,
        nodes=tuple(_node(host, _DEFAULT_PORTS[kind]) for host in hosts.split(",")),
        username=unquote(username) or settings.get("username"),
        password=unquote(password) or settings.get("password"),
        database=int(query.get("db") or database or settings.get("db") or 0),
        service=service,
        tls=_context(tls_options) if is_secure else None,
        tls_options=tls_options,
        unix_path=unquote(parts.path) if parts.scheme == "unix" else None,
    )


def _path(kind: Kind, parts: SplitResult) -> tuple[str, str]:
    """Return the number of the database and the name of the master, as far as they are told."""
    path = [unquote(part) for part in parts.path.split("/") if part]
    if kind == "sentinel":
        if len(path) != 2 or not path[0].isdigit():
            raise ValueError("behind sentinels the path must be /number/name-of-the-master")
        return path[0], path[1]
    # A cluster has no other database than 0.
    is_told = kind == "single" and parts.scheme != "unix"
    return path[0] if is_told and path and path[0].isdigit() else "", ""


def _node(text: str, default_port: int) -> Node:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, ""
    if port and not port.isdigit():
        # The text may be a part of the password.
        raise ValueError("the port is no number; are user and password percent-encoded?")
    return host.strip("[]") or "localhost", int(port or default_port)


def _flag(value: Any) -> bool:
    """Return what an option says; a word that is neither yes nor no must not mean clear text."""
    word = str(value).lower()
    if word not in _FLAGS:
        raise ValueError(f"{value!r} is neither true nor false")
    return _FLAGS[word]


def _tls_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    requires = str(settings.get("ssl_cert_reqs", "required")).lower()
    is_checked = requires not in ("none", str(ssl.CERT_NONE).lower())
    return {
        **{name: settings[name] for name in _TLS_FILES if settings.get(name)},
        "ssl_cert_reqs": "required" if is_checked else "none",
        "ssl_check_hostname": is_checked and _flag(settings.get("ssl_check_hostname", True)),
    }


def _context(options: Mapping[str, Any]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
        if "ssl_certfile" in options:
            context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    except OSError as error:
        named = ", ".join(str(options[name]) for name in _TLS_FILES if name in options)
        raise OSError(f"{named}: {error}") from error
    context.check_hostname = options["ssl_check_hostname"]
    if options["ssl_cert_reqs"] == "none":
        context.verify_mode = ssl.CERT_NONE
    return context
