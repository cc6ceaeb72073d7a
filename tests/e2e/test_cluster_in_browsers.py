"""The page in front of a real cluster: NGINX with TLS, two gateways, PostgreSQL, Redis, and the
simulated WhatsApp behind its relay."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from cluster.cluster import Cluster
from cluster.pods import Pod
from cluster.postgres_server import PostgresServer
from cluster.programs import free_port
from cluster.waiting import wait_until
from e2e.browsers import Laptop, Person
from e2e.long_thread import fill_thread
from e2e.test_seed_scenarios import BLOCKED_WEB_SOCKET

pytestmark = pytest.mark.integration

PASSWORD = "a password of the tests"
TOKEN_SECONDS = 8
# Tokens that live for seconds, and pings by which a pod notices in seconds who is asleep.
_SETTINGS = {
    "PYTAKE_ACCESS_TOKEN_TTL": f"{TOKEN_SECONDS}s",
    "PYTAKE_PING_INTERVAL": "3",
    "PYTAKE_PING_TIMEOUT": "4",
    "PYTAKE_WHATSAPP_APP_SECRET": "app secret",
    "PYTAKE_WHATSAPP_VERIFY_TOKEN": "verify me",
}


class Shop:
    """An organization in the cluster, whose customers are the simulator's."""

    def __init__(self, cluster: Cluster, simulator: Pod) -> None:
        self.cluster = cluster
        self.simulator = simulator
        self.organization = cluster.create_organization("Loja")
        self.users = {
            account: cluster.create_user(
                f"{account}@demo.pytake",
                organization=self.organization,
                role=role,
                password=PASSWORD,
            )
            for account, role in (("ana", "agent"), ("admin", "admin"))
        }

    def api(self) -> httpx.Client:
        token = self.cluster.token(
            self.users["admin"], role="admin", organization=self.organization
        )
        return self.cluster.api(token)

    def customer_writes(self, name: str, text: str) -> None:
        """A customer, who reads what comes and never answers."""
        phone = f"55119{zlib.crc32(name.encode()) % 10**8:08d}"
        person = {"phone": phone, "name": name, "persona": "silent"}
        control = f"{self.simulator.address}/control/customers"
        known = httpx.post(control, json=person).raise_for_status().json()["items"][0]
        httpx.post(f"{control}/{known['wa_id']}/messages", json={"text": text}).raise_for_status()

    def connections_of(self, account: str) -> int:
        """How many connections all pods have of a user."""
        return sum(
            len(
                httpx.get(
                    f"{pod.inner_address}/internal/connections",
                    params={"user": self.users[account]},
                ).json()["items"]
            )
            for pod in self.cluster.gateways
            if pod.is_running
        )


@pytest.fixture(scope="module")
def shop(postgres_server: PostgresServer) -> Iterator[Shop]:
    """Its own cluster, because a gateway of it dies in the last test."""
    port = free_port()
    settings = _SETTINGS | {"PYTAKE_WHATSAPP_API_URL": f"http://127.0.0.1:{port}"}
    with Cluster(postgres=postgres_server, settings=settings) as cluster:
        number = {
            "PYTAKE_WHATSAPP_ACCESS_TOKEN": "access token",
            "PYTAKE_WHATSAPP_PHONE_NUMBER_ID": "1065",
        }
        simulator = Pod("simulate-whatsapp", "simulator", cluster.folder, cluster.settings | number)
        simulator.env |= {"PYTAKE_PORT": str(port)}  # type: ignore[operator]
        simulator.command += ["--webhook-url", cluster.apis[0].address, "--quiet"]
        simulator.start()
        try:
            simulator.wait_until_serving()
            made = Shop(cluster, simulator)
            channel = {"name": "Loja", "phone_number_id": "1065", "access_token": "access token"}
            with made.api() as api:
                api.post("/channels", json=channel).raise_for_status()
            yield made
        finally:
            simulator.kill()


def look_at(person: Person, customer: str) -> None:
    """Sign in and open the conversation with a customer that nobody has taken."""
    person.sign_in(PASSWORD, has_rows=False)
    person.show("unassigned")
    person.open(customer)


@pytest.fixture
def customer(shop: Shop, request: pytest.FixtureRequest) -> str:
    """A customer who has just written to us."""
    name = request.node.name.replace("_", " ")
    shop.customer_writes(name, "Oi, tudo bem?")
    return str(name)


@pytest.fixture
def two(browser: Browser, shop: Shop, customer: str) -> Iterator[tuple[Person, Person]]:
    """An admin and an agent, both looking at what the customer wrote."""
    admin, ana = (Person(browser, shop.cluster.url, who) for who in ("admin", "ana"))
    for person in (admin, ana):
        look_at(person, customer)
    yield admin, ana
    for person in (admin, ana):
        person.close()
    assert admin.errors + ana.errors == []


def test_two_browsers_see_messages_typing_and_ticks(
    two: tuple[Person, Person], shop: Shop, customer: str
) -> None:
    admin, ana = two
    admin.page.locator("[data-composer]").press_sequentially("Tudo ótimo")
    expect(ana.page.locator("[data-typing]")).to_have_text("admin está digitando…")

    admin.page.press("[data-composer]", "Enter")

    for person in two:
        expect(person.message("Tudo ótimo")).to_have_count(1)
        # The simulated customer has received and read it, and both screens say so.
        expect(person.message("Tudo ótimo")).to_have_attribute(
            "data-status", "read", timeout=30_000
        )
    expect(ana.page.locator("[data-typing]")).to_have_text("")
    shop.customer_writes(customer, "Que bom")
    for person in two:
        expect(person.message("Que bom")).to_have_count(1)


def test_a_note_is_on_the_colleagues_screen_and_not_on_the_customers(
    two: tuple[Person, Person], shop: Shop
) -> None:
    admin, ana = two
    admin.page.locator("[data-composer]").press_sequentially("@")
    admin.page.locator("[data-note-composer] textarea").fill("cuidado com este")
    admin.page.locator("[data-note-composer] textarea").press("Enter")
    expect(ana.page.locator("[data-note]")).to_contain_text("cuidado com este")

    admin.write("Pronto, resolvido")

    # What was sent after the note has been read, so the note would have been sent, too.
    expect(ana.message("Pronto, resolvido")).to_have_attribute(
        "data-status", "read", timeout=30_000
    )
    people = httpx.get(f"{shop.simulator.address}/control/customers").json()["items"]
    threads = [
        httpx.get(f"{shop.simulator.address}/control/customers/{each['wa_id']}/messages").text
        for each in people
    ]
    assert any("resolvido" in thread for thread in threads)
    assert not any("cuidado" in thread for thread in threads)


def test_a_blocked_web_socket_falls_back_to_polling(two: tuple[Person, Person]) -> None:
    admin, ana = two
    ana.context.add_init_script(BLOCKED_WEB_SOCKET)
    polled: list[str] = []
    ana.page.on("request", lambda request: polled.append(request.url))
    ana.page.reload()
    ana.is_connected()

    admin.write("Chega também por polling")

    expect(ana.message("Chega também por polling")).to_have_count(1)
    ana.write("E volta")
    expect(admin.message("E volta")).to_have_count(1)
    assert any("transport=polling" in url for url in polled)


def test_an_expired_token_is_renewed_without_a_word(two: tuple[Person, Person]) -> None:
    admin, ana = two
    refreshed: list[str] = []
    ana.page.on("request", lambda request: refreshed.append(request.url))
    # Two lives of a token.
    ana.page.wait_for_timeout(2 * TOKEN_SECONDS * 1_000 + 2_000)

    admin.write("Depois do vencimento")

    expect(ana.message("Depois do vencimento")).to_have_count(1)
    ana.write("E de volta")
    expect(admin.message("E de volta")).to_have_count(1)
    assert any("/auth/refresh" in url for url in refreshed)
    ana.is_connected()


def test_a_laptop_that_slept_is_up_to_date_when_it_wakes(
    browser: Browser, shop: Shop, customer: str
) -> None:
    """Every process of its browser stands still, timers and sockets too, as on a closed lid."""
    admin = Person(browser, shop.cluster.url, "admin")
    look_at(admin, customer)
    with Laptop(browser) as laptop:
        ana = Person(laptop.browser, shop.cluster.url, "ana")
        look_at(ana, customer)
        ana.is_connected()
        laptop.close_lid()
        admin.write("Enquanto o notebook dormia")
        expect(admin.message("Enquanto o notebook dormia")).to_have_count(1)
        wait_until(lambda: shop.connections_of("ana") == 0, "the pod lets go of who sleeps", 30)
        # Its token does not outlive the nap.
        time.sleep(TOKEN_SECONDS)

        laptop.open_lid()

        expect(ana.message("Enquanto o notebook dormia")).to_have_count(1)
        ana.is_connected()
        ana.write("Acordei")
        expect(admin.message("Acordei")).to_have_count(1)
        assert ana.errors == []
        ana.close()
    admin.close()


def test_a_full_reload_while_messages_wait_loses_none(two: tuple[Person, Person]) -> None:
    admin, ana = two
    # Only the sends fail: the page itself can still be loaded.
    pattern = re.compile(r"/messages$")
    ana.context.route(pattern, lambda route: route.abort())
    for number in range(3):
        ana.write(f"Escrita sem rede {number}")
    expect(ana.page.locator("[data-outgoing] [data-hop=waiting]")).to_have_count(3)

    ana.page.reload()
    expect(ana.page.locator("[data-outgoing]")).to_have_count(3)
    ana.context.unroute(pattern)

    for person in (admin, ana):
        expect(person.message("Escrita sem rede")).to_have_count(3, timeout=40_000)
        texts = person.message("Escrita sem rede").locator(".content-text").all_inner_texts()
        assert texts == [f"Escrita sem rede {number}" for number in range(3)]
    expect(ana.page.locator("[data-outgoing]")).to_have_count(0)


@pytest.mark.full
def test_ten_tabs_take_one_place_under_the_cap(
    two: tuple[Person, Person], shop: Shop, customer: str
) -> None:
    admin, ana = two
    tabs = [ana.new_tab() for _ in range(9)]
    for tab in tabs:
        tab.goto(ana.page.url)
        expect(ana.messages(tab).first).to_be_visible()
    admin.write("Para as dez abas")
    for tab in (ana.page, *tabs):
        expect(ana.message("Para as dez abas", tab)).to_have_count(1)
    wait_until(lambda: shop.connections_of("ana") == 1, "one connection for ten tabs")

    # The leader closes: another tab takes over, and nobody misses anything.
    ana.page.close()
    admin.write("Depois da troca")

    for tab in tabs:
        expect(ana.message("Depois da troca", tab)).to_have_count(1)
    wait_until(lambda: shop.connections_of("ana") == 1, "one connection again")


@pytest.mark.full
@pytest.mark.timeout(420)
def test_a_thread_of_ten_thousand_shows_every_message_once_and_in_order(
    browser: Browser, shop: Shop
) -> None:
    count = 10_000
    ana = Person(browser, shop.cluster.url, "ana")
    name = f"Thread of {count}"
    url = shop.cluster.database_url("postgresql+asyncpg")
    fill_thread(url, shop.organization, name, shop.users["ana"], count)
    ana.sign_in(PASSWORD, has_rows=False)
    ana.show("unassigned")
    ana.open(name)
    expect(ana.message(f"Mensagem {count}:")).to_be_visible()

    ana.page.evaluate(_LOAD_ALL)
    seen = _every_seq(ana.page)

    assert seen == list(range(1, count + 1))
    ana.write("E mais uma")
    expect(ana.page.locator("[data-history]")).to_contain_text("E mais uma")
    assert ana.errors == []
    ana.close()


_LOAD_ALL = """
async () => {
  const history = document.querySelector("[data-history]");
  while (!document.querySelector(".thread-beginning")) {
    history.scrollTop = 0;
    await new Promise(requestAnimationFrame);
  }
}
"""
_WALK_DOWN = """
async () => {
  const history = document.querySelector("[data-history]");
  const seen = [];
  const look = () => {
    const rows = [...document.querySelectorAll("[data-seq]")];
    const shown = rows.map((row) => Number(row.dataset.seq));
    if (shown.length > 200) throw new Error("the whole thread is on the page");
    for (const seq of shown.sort((a, b) => a - b)) if (seq > (seen.at(-1) ?? 0)) seen.push(seq);
  };
  history.scrollTop = 0;
  for (let still = 0; still < 10; ) {
    await new Promise(requestAnimationFrame);
    look();
    const before = history.scrollTop;
    history.scrollTop += history.clientHeight / 2;
    still = history.scrollTop === before ? still + 1 : 0;
  }
  return seen;
}
"""


def _every_seq(page: Page) -> list[int]:
    page.set_default_timeout(300_000)
    seen: list[int] = page.evaluate(_WALK_DOWN)
    return seen


@pytest.mark.full
def test_a_session_of_work_shifts_nothing(two: tuple[Person, Person], shop: Shop) -> None:
    """Layout shift as Chromium counts it, from the sign-in on."""
    admin, ana = two
    ana.page.goto(f"{shop.cluster.url}/agent/conversations")
    ana.page.evaluate(_WATCH_SHIFT)
    ana.show("unassigned")
    for row in ana.page.locator("[data-conversation]").all()[:4]:
        row.click()
        expect(ana.messages().first).to_be_visible()
        ana.write("Um momento, por favor")
        expect(ana.message("Um momento, por favor").last).to_be_visible()
    admin.write("Também estou aqui")
    ana.page.get_by_role("button", name="Esconder detalhes").first.click()
    ana.page.get_by_role("button", name="Mostrar detalhes").click()
    ana.page.wait_for_timeout(1_000)

    assert ana.page.evaluate("window.shift") <= 0.02


_WATCH_SHIFT = """
() => {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
}
"""


def test_a_killed_gateway_costs_nobody_a_message(two: tuple[Person, Person], shop: Shop) -> None:
    admin, ana = two
    admin.write("Antes da queda")
    expect(ana.message("Antes da queda")).to_have_count(1)

    shop.cluster.gateways[0].kill()
    for number in range(5):
        admin.write(f"Durante a queda {number}")

    expect(ana.message("Durante a queda")).to_have_count(5, timeout=40_000)
    expect(admin.message("Durante a queda")).to_have_count(5, timeout=40_000)
    texts = ana.page.locator(".own .content-text, .colleague .content-text").all_inner_texts()
    assert texts == ["Antes da queda", *(f"Durante a queda {number}" for number in range(5))]
    for person in two:
        expect(person.connection).to_have_class(re.compile("online"), timeout=40_000)
