"""Whose address counts, and who may say so."""

from typing import Any

import pytest

from pytake.limits.addresses import TrustedProxies, budget_address

OURS = TrustedProxies(["10.0.0.0/8", "fd00::/8"])


def headers(**given: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("fd00::1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "not an address", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_the_last_address_that_is_not_ours_is_the_clients(
    peer: str, forwarded: str, expected: str
) -> None:
    assert OURS.address_of(peer, headers(x_forwarded_for=forwarded)) == expected


@pytest.mark.parametrize(
    ("peer", "forwarded", "budget"),
    [
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7:51234", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7:51235", "203.0.113.7"),
        ("fd00::1", "[2001:db8:1:2::1]:4711", "2001:db8:1:2::/64"),
        ("10.0.0.1", "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("10.0.0.1", "[::ffff:203.0.113.7]", "203.0.113.7"),
        ("10.0.0.1", "1.2.3.4, 203.0.113.7, 10.0.0.2:80", "203.0.113.7"),
        ("10.0.0.1", "rubbish 1", "10.0.0.1"),
        ("10.0.0.1", "rubbish 2", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, 999.1.1.1", "10.0.0.1"),
        (None, "198.51.100.1", "unknown"),
    ],
)
def test_whatever_is_forwarded_one_client_has_one_budget(
    peer: str | None, forwarded: str, budget: str
) -> None:
    client = None if peer is None else (peer, 1234)
    scope = {"client": client, "headers": headers(x_forwarded_for=forwarded)}

    assert OURS.budget_of(scope) == budget


def test_x_real_ip_counts_where_there_is_no_chain() -> None:
    assert OURS.address_of("10.0.0.1", headers(x_real_ip="198.51.100.1")) == "198.51.100.1"
    assert OURS.address_of("203.0.113.9", headers(x_real_ip="198.51.100.1")) == "203.0.113.9"


def test_the_scheme_is_believed_from_a_trusted_proxy_alone() -> None:
    told = headers(x_forwarded_proto="https")

    assert OURS.scheme_of("10.0.0.1", told, "http") == "https"
    assert OURS.scheme_of("10.0.0.1", told, "ws") == "wss"
    assert OURS.scheme_of("203.0.113.9", told, "http") == "http"
    assert OURS.scheme_of("10.0.0.1", headers(x_forwarded_proto="gopher"), "http") == "http"


@pytest.mark.parametrize(
    ("peer", "client", "left"),
    [("10.0.0.1", "198.51.100.1", True), ("203.0.113.9", "203.0.113.9", False)],
)
async def test_the_application_sees_the_client_and_no_header_it_must_not_believe(
    peer: str, client: str, left: bool
) -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: object, receive: object, send: object) -> None:
        assert isinstance(scope, dict)
        seen.append(scope)

    scope = {
        "type": "http",
        "scheme": "http",
        "client": (peer, 1),
        "headers": headers(x_forwarded_for="198.51.100.1", host="x"),
    }
    await OURS.wrap(app)(scope, None, None)  # type: ignore[arg-type]

    address, _ = seen[0]["client"]
    assert address == client
    names = [name for name, _ in seen[0]["headers"]]
    assert (b"x-forwarded-for" in names) is left
    assert b"host" in names


@pytest.mark.parametrize(
    ("address", "budget"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        (None, "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_a_budget_belongs_to_what_one_customer_gets(address: str | None, budget: str) -> None:
    assert budget_address(address) == budget
