"""Whose address a request comes from, behind proxies that we trust.

Forwarded headers are believed only from a trusted peer, and only as far back as the chain
of trusted proxies reaches; from anybody else they are removed, so that no layer below can
believe them by mistake.
"""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

Network = IPv4Network | IPv6Network
Headers = Sequence[tuple[bytes, bytes]]

_FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip", b"forwarded")


class TrustedProxies:
    """Networks whose forwarded headers are believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ip_network(network, strict=False) for network in networks]

    def trusts(self, address: str | None) -> bool:
        """Whether the address is one of our proxies."""
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def address_of(self, peer: str | None, headers: Headers) -> str | None:
        """Return the client's address: the last one of the chain that is not our proxy's."""
        if not self.trusts(peer):
            return peer
        chain = _all(headers, b"x-forwarded-for")
        for hop in reversed(chain):
            if _parse(hop) is None:
                return peer
            if not self.trusts(hop):
                return str(_parse(hop))
        real = _all(headers, b"x-real-ip")
        if not chain and real and _parse(real[-1]) is not None:
            return str(_parse(real[-1]))
        return chain[0] if chain else peer

    def budget_of(self, scope: Mapping[str, Any]) -> str:
        """Return what shares a budget with whoever sent the request of a scope."""
        client = scope.get("client")
        return budget_address(
            self.address_of(client[0] if client else None, scope.get("headers", ()))
        )

    def scheme_of(self, peer: str | None, headers: Headers, scheme: str) -> str:
        """Return the scheme the client used, as far as a trusted proxy tells."""
        told = _all(headers, b"x-forwarded-proto")
        if not told or not self.trusts(peer) or told[-1] not in ("http", "https", "ws", "wss"):
            return scheme
        is_secure = told[-1] in ("https", "wss")
        if scheme in ("ws", "wss"):
            return "wss" if is_secure else "ws"
        return "https" if is_secure else "http"

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return the application with the client's own address and scheme in the scope."""

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] in ("http", "websocket"):
                scope = self._seen_through(scope)
            await app(scope, receive, send)

        return wrapped

    def _seen_through(self, scope: Scope) -> Scope:
        headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        if not any(name in _FORWARDED for name, _ in headers):
            return scope
        client = scope.get("client")
        peer = client[0] if client else None
        changed: dict[str, Any] = dict(scope)
        changed["scheme"] = self.scheme_of(peer, headers, scope.get("scheme", "http"))
        address = self.address_of(peer, headers)
        if address != peer:
            changed["client"] = (address, 0)
        if not self.trusts(peer):
            changed["headers"] = [(n, v) for n, v in headers if n not in _FORWARDED]
        return changed


def budget_address(address: str | None) -> str:
    """Return what shares one budget: an IPv4 address, or the /64 that one customer gets."""
    parsed = _parse(address)
    if parsed is None:
        return "unknown"
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ip_network((int(parsed), 64), strict=False))
    return str(parsed.ipv4_mapped if parsed.version == 6 else parsed)


def _all(headers: Headers, name: bytes) -> list[str]:
    """Return all values of a header, split at commas, in order."""
    values = [value.decode("latin-1") for each, value in headers if each == name]
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _parse(address: str | None) -> Any:
    if not address:
        return None
    text = address.strip()
    if text.startswith("[") and "]" in text:
        text = text[1 : text.index("]")]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return ip_address(text)
    except ValueError:
        return None
