"""Only proxies that we trust may say whose connection it is."""

import pytest

from pytake.gateway.addresses import budget_address, client_address, networks

TRUSTED = networks(("10.0.0.0/8", "2001:db8::/32"))


def scope(client: str, *forwarded: str) -> dict[str, object]:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return {"client": (client, 1234), "headers": headers}


@pytest.mark.parametrize(
    ("client", "forwarded", "expected"),
    [
        ("203.0.113.7", (), "203.0.113.7"),
        ("203.0.113.7", ("198.51.100.1",), "203.0.113.7"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.2.3.4, 198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.2.3.4, 198.51.100.1, 10.0.0.2",), "198.51.100.1"),
        ("10.0.0.1", ("1.2.3.4", "198.51.100.1"), "198.51.100.1"),
        ("2001:db8::1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("no address",), "no address"),
        ("10.0.0.1", (), "10.0.0.1"),
    ],
)
def test_the_address_is_the_last_that_no_trusted_proxy_has(
    client: str, forwarded: tuple[str, ...], expected: str
) -> None:
    assert client_address(scope(client, *forwarded), TRUSTED) == expected


@pytest.mark.parametrize(
    ("address", "budget"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_failures_are_counted_by_what_one_customer_gets(address: str, budget: str) -> None:
    assert budget_address(address) == budget
