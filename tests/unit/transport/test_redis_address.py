"""One reader of addresses for everybody who talks to Redis."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from cluster.certificates import create_certificates
from pytake.processes.redis_client import connect_redis
from pytake.settings import BadSettings, load
from pytake.transport.redis_address import RedisAddress, parse_address

TWO = (("a", 1), ("b", 26379))

ADDRESSES: dict[str, dict[str, Any]] = {
    "redis://": {"nodes": (("localhost", 6379),)},
    "redis://h:7/3": {"nodes": (("h", 7),), "database": 3},
    "redis://h:/0?db=2": {"nodes": (("h", 6379),), "database": 2},
    "redis://[::1]:7": {"nodes": (("::1", 7),)},
    "redis://[::1]": {"nodes": (("::1", 6379),)},
    "redis://ana:s3%3Acret%40@h": {"username": "ana", "password": "s3:cret@"},
    "redis://:p@h": {"username": None, "password": "p"},
    "unix:///tmp/redis.sock?db=1": {"unix_path": "/tmp/redis.sock", "database": 1},  # noqa: S108
    "redis+sentinel://a:1,b/3/m": {
        "kind": "sentinel", "nodes": TWO, "database": 3, "service": "m",
    },
    "redis+sentinel://ana:s3%3Acret%40@a:1,b/0/m": {"username": "ana", "password": "s3:cret@"},
    "redis+cluster://ana:p%2F@a:1,b:26379/0": {
        "kind": "cluster", "nodes": TWO, "username": "ana", "password": "p/",
    },
    "redis+cluster://a:1/5": {"database": 0},
}  # fmt: skip
SECURE = [
    "rediss://u:pw@h:6379/0",
    "redis://u:pw@h:6379/0?tls=true",
    "redis+sentinel://u:pw@h:26379/0/m?tls=true",
    "rediss+sentinel://u:pw@h:26379/0/m",
    "redis+cluster://u:pw@h:6379/0?tls=true",
    "rediss+cluster://u:pw@h:6379",
]
BAD = [
    "redis+sentinel://a:1",
    "redis+sentinel://a:1/0",
    "redis+sentinel://a:1/m",
    "redis+sentinel://a:1/m/0",
    "redis+sentinel://a:1/0/m/n",
    "redis+sentinel://a:1?tls=true",
    "http://h",
]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_address_says_where_redis_is(url: str) -> None:
    address = parse_address(url)

    assert {name: getattr(address, name) for name in ADDRESSES[url]} == ADDRESSES[url]
    assert address.tls is None
    assert address.server(("x", 1)).password == address.password


@pytest.mark.parametrize("url", SECURE)
def test_tls_holds_for_links_and_for_clients_of_redis_py(url: str, tmp_path: Path) -> None:
    authority = str(create_certificates(tmp_path).authority)
    option = f"ssl_ca_certs={authority}"

    address = parse_address(f"{url}{'&' if '?' in url else '?'}{option}")

    tls = address.server(address.nodes[0]).tls
    assert tls is not None
    assert len(tls.get_ca_certs()) == 1
    assert (tls.check_hostname, tls.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert address.tls_options["ssl_ca_certs"] == authority
    assert (address.username, address.password) == ("u", "pw")


@pytest.mark.parametrize("url", [url for url in SECURE if url.startswith("redis")])
def test_a_client_of_redis_py_does_what_the_links_do(url: str) -> None:
    question = "&" if "?" in url else "?"
    checked = connection_options(connect_redis(url))
    unchecked = connection_options(connect_redis(f"{url}{question}ssl_cert_reqs=none"))

    assert (checked["ssl_cert_reqs"], checked["ssl_check_hostname"]) == ("required", True)
    assert (unchecked["ssl_cert_reqs"], unchecked["ssl_check_hostname"]) == ("none", False)
    assert (checked["username"], checked["password"]) == ("u", "pw")


def connection_options(client: Any) -> dict[str, Any]:
    pool = getattr(client, "connection_pool", None)
    options: dict[str, Any] = client.connection_kwargs if pool is None else pool.connection_kwargs
    return options


def test_options_beside_the_address_fill_in_what_it_does_not_say() -> None:
    options = {"password": "p", "db": 4, "ssl": True, "ssl_cert_reqs": ssl.CERT_NONE}

    address = parse_address("redis://:mine@h", options)

    assert (address.password, address.database) == ("mine", 4)
    assert address.tls is not None
    assert (address.tls.check_hostname, address.tls.verify_mode) == (False, ssl.CERT_NONE)


@pytest.mark.parametrize("url", ["redis://h?tls=on", "redis://h:port", *BAD])
def test_an_address_that_is_none_of_ours_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"true|port|path|scheme"):
        parse_address(url)


@pytest.mark.parametrize("url", BAD)
def test_settings_refuse_it_before_anything_listens(url: str) -> None:
    with pytest.raises(BadSettings) as caught:
        load("command", redis_url=url)

    (mistake,) = caught.value.mistakes
    assert mistake.startswith("PYTAKE_REDIS_URL: must be ")


@pytest.mark.parametrize("url", [url for url in ADDRESSES if url.startswith("redis")])
def test_settings_take_what_can_be_read(url: str) -> None:
    assert load("command", redis_url=url).redis_url == url


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(RedisAddress("single", (), password="secret"))
