"""Where Redis is: one server, a master behind sentinels, or a cluster.

    redis://user:password@host:6379/0          rediss:// with TLS
    redis+sentinel://:password@h1:26379,h2:26379/0/service
    redis+cluster://:password@h1:6379,h2:6379

`?ssl_ca_certs=/path` names an authority, `?tls=true` turns TLS on for the last two.
"""

import ssl
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

Node = tuple[str, int]
Kind = Literal["single", "sentinel", "cluster"]

_KINDS: dict[str, Kind] = {
    "redis": "single",
    "rediss": "single",
    "redis+sentinel": "sentinel",
    "redis+cluster": "cluster",
}
_DEFAULT_PORTS: dict[Kind, int] = {"single": 6379, "sentinel": 26379, "cluster": 6379}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A parsed address; `nodes` are the server, the sentinels or some cluster nodes."""

    kind: Kind
    nodes: tuple[Node, ...]
    username: str | None = None
    password: str | None = None
    database: int = 0
    service: str = "mymaster"
    tls: ssl.SSLContext | None = None


def parse_address(url: str) -> RedisAddress:
    """Return the address that the URL names.

    Raises:
        ValueError: It is none of ours.
    """
    parts = urlsplit(url)
    if parts.scheme not in _KINDS:
        raise ValueError(f"unknown scheme {parts.scheme!r}")
    kind = _KINDS[parts.scheme]
    login, _, hosts = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    path = [part for part in parts.path.split("/") if part]
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return RedisAddress(
        kind=kind,
        nodes=tuple(_node(host, _DEFAULT_PORTS[kind]) for host in hosts.split(",")),
        username=unquote(username) or None,
        password=unquote(password) or None,
        database=int(path[0]) if path and path[0].isdigit() else 0,
        service=path[1] if kind == "sentinel" and len(path) > 1 else "mymaster",
        tls=_tls(options) if parts.scheme == "rediss" or options.get("tls") == "true" else None,
    )


def _node(text: str, default_port: int) -> Node:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        return text.strip("[]") or "localhost", default_port
    return host.strip("[]") or "localhost", int(port)


def _tls(options: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
