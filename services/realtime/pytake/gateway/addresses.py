"""Whose handshake it is: the client's address behind trusted proxies."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that the texts name."""
    return tuple(ip_network(text, strict=False) for text in texts)


def client_address(scope: Mapping[str, Any], trusted: Sequence[Network]) -> str:
    """Return the address that the connection comes from.

    `X-Forwarded-For` is read from the right, and only as long as it was written by
    proxies that we trust: what a client puts there itself never counts.
    """
    client = scope.get("client")
    address = str(client[0]) if client else ""
    forwarded = [
        value.decode("latin-1")
        for name, value in scope.get("headers", ())
        if name == b"x-forwarded-for"
    ]
    hops = [hop.strip() for hop in ",".join(forwarded).split(",") if hop.strip()]
    while hops and _is_trusted(address, trusted):
        address = hops.pop()
    return address


def budget_address(address: str) -> str:
    """Return what shares one budget: an IPv4 address, or the /64 that one customer gets."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped or ip_network((int(parsed), 64), strict=False))
    return str(parsed)


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
