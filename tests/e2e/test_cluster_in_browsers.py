"""The page in front of a real cluster: NGINX with TLS, two gateways, PostgreSQL and Redis."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from cluster.cluster import Cluster
from cluster.postgres_server import PostgresServer
from e2e.browsers import Person

pytestmark = pytest.mark.integration

PASSWORD = "a password of the tests"


@pytest.fixture(scope="module")
def cluster_for_killing(postgres_server: PostgresServer) -> Iterator[Cluster]:
    """Its own, because a gateway of it dies in the last test; tokens live for a few seconds."""
    settings = {"PYTAKE_ACCESS_TOKEN_TTL": "8s"}
    with Cluster(postgres=postgres_server, settings=settings) as cluster:
        organization = cluster.create_organization("Loja")
        for account, role in (("ana", "agent"), ("admin", "admin")):
            cluster.create_user(
                f"{account}@demo.pytake", organization=organization, role=role, password=PASSWORD
            )
        yield cluster


@pytest.fixture
def two(
    browser: Browser, cluster_for_killing: Cluster, request: pytest.FixtureRequest
) -> Iterator[tuple[Person, Person]]:
    """An admin and an agent, both looking at a conversation that nobody has written in."""
    admin, ana = (Person(browser, cluster_for_killing.url, who) for who in ("admin", "ana"))
    customer = request.node.name.replace("_", " ")
    phone = f"+55119{zlib.crc32(customer.encode()) % 10**8:08d}"
    contact = {"contact": {"name": customer, "phone": phone}}
    admin.call("POST", "/conversations", contact, PASSWORD)
    for person in (admin, ana):
        person.sign_in(PASSWORD, has_rows=False)
        person.show("unassigned")
        person.page.locator("[data-conversation]", has_text=customer).click()
        expect(person.page.locator("[data-composer]")).to_be_visible()
    yield admin, ana
    for person in (admin, ana):
        person.close()
    assert admin.errors + ana.errors == []


def test_an_expired_token_is_renewed_without_a_word(two: tuple[Person, Person]) -> None:
    admin, ana = two
    refreshed: list[str] = []
    ana.page.on("request", lambda request: refreshed.append(request.url))
    # Two lives of a token.
    ana.page.wait_for_timeout(18_000)

    admin.write("Depois do vencimento")

    expect(ana.message("Depois do vencimento")).to_have_count(1)
    ana.write("E de volta")
    expect(admin.message("E de volta")).to_have_count(1)
    assert any("/auth/refresh" in url for url in refreshed)
    ana.is_connected()


def test_a_killed_gateway_costs_nobody_a_message(
    two: tuple[Person, Person], cluster_for_killing: Cluster
) -> None:
    admin, ana = two
    admin.write("Antes da queda")
    expect(ana.message("Antes da queda")).to_have_count(1)

    cluster_for_killing.gateways[0].kill()
    for number in range(5):
        admin.write(f"Durante a queda {number}")

    expect(ana.message("Durante a queda")).to_have_count(5, timeout=40_000)
    expect(admin.message("Durante a queda")).to_have_count(5, timeout=40_000)
    texts = ana.page.locator(".content-text").all_inner_texts()
    assert texts == ["Antes da queda", *(f"Durante a queda {number}" for number in range(5))]
    for person in two:
        expect(person.connection).to_have_class(re.compile("online"), timeout=40_000)
