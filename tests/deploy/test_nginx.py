"""The NGINX configuration that we ship, in front of real gateways, with clients of every kind.

Both flavors: the newest nginx, whose cookie keeps a session at its pod, and Debian's 1.22, which
tells clients apart by their address.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from http.cookies import SimpleCookie

import httpx
import pytest

from cluster.cluster import Cluster
from cluster.js_client import JsClient, JsClients
from cluster.nginx_server import Flavor
from cluster.pods import Pod
from cluster.postgres_server import PostgresServer
from cluster.waiting import eventually, wait_until
from conftest import left_out_if_missing

pytestmark = pytest.mark.integration

FLAVORS: tuple[Flavor, ...] = ("1.30", "1.22")
WAYS = {
    "polling": ["polling"],
    "upgrade": ["polling", "websocket"],
    "websocket": ["websocket"],
}
HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture(scope="module", params=FLAVORS)
def proxied(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[Cluster]:
    """Two gateways behind one flavor; nothing of it is broken by the tests."""
    with left_out_if_missing():
        cluster = Cluster(postgres=postgres_server, flavor=request.param)
    with cluster:
        yield cluster


@pytest.fixture(params=FLAVORS)
def breakable(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[Cluster]:
    """Three gateways of its own for a test that ends some of them."""
    with left_out_if_missing():
        cluster = Cluster(postgres=postgres_server, flavor=request.param, gateways=3)
    with cluster:
        yield cluster


@asynccontextmanager
async def clients_of(cluster: Cluster) -> AsyncIterator[JsClients]:
    """The official client; it keeps cookies, as a browser does."""
    async with JsClients(cluster.url, cluster.certificates.authority) as clients:
        yield clients


async def joined(clients: JsClients, cluster: Cluster, user: str, way: str, room: str) -> JsClient:
    client = await clients.connect(cluster.token(user), transports=WAYS[way])
    await client.next("$connect", within_seconds=15)
    answer = await client.call("join_conversation", {"conversation_id": room, "last_seq": 0})
    assert answer["ok"], answer
    return client


# --- Ways in --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_clients_connect_and_are_reached(proxied: Cluster, way: str) -> None:
    room = proxied.create_conversation()["id"]
    async with clients_of(proxied) as clients:
        here = [await joined(clients, proxied, f"{way}-{n}", way, room) for n in range(4)]

        sent = [proxied.send(room, f"{way} {number}")["id"] for number in range(10)]

        for client in here:
            received = [(await client.next("message:new"))["id"] for _ in sent]
            assert received == sent
            assert await _is_on(client, WAYS[way][-1])


async def _is_on(client: JsClient, transport: str) -> bool:
    async def arrived() -> bool:
        return bool((await client.state())["transport"] == transport)

    await eventually(arrived, f"the client is on {transport}")
    return True


def test_pages_and_polling_come_over_http_2(proxied: Cluster) -> None:
    context = proxied.tls()
    context.set_alpn_protocols(["h2", "http/1.1"])

    with (
        socket.create_connection(("127.0.0.1", proxied.nginx.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.selected_alpn_protocol() == "h2"


def test_port_80_leads_to_tls_and_tls_says_to_stay(proxied: Cluster) -> None:
    plain = httpx.get(f"{proxied.nginx.http_url}/inbox?x=1")
    assert (plain.status_code, plain.headers["location"]) == (308, f"{proxied.url}/inbox?x=1")

    for path in ("/health", HANDSHAKE, "/api/v1/conversations"):
        answer = httpx.get(f"{proxied.url}{path}", verify=proxied.tls())
        assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000"], path


def test_a_token_in_an_address_is_in_no_log_of_the_proxy(proxied: Cluster) -> None:
    httpx.get(f"{proxied.url}{HANDSHAKE}&token=a-private-word", verify=proxied.tls())

    assert "/socket.io/" in proxied.nginx.access_log.read_text()
    assert "a-private-word" not in proxied.nginx.access_log.read_text()


# --- Stickiness -----------------------------------------------------------------------------------


def test_the_cookie_is_for_sockets_alone_and_out_of_reach_of_scripts(proxied: Cluster) -> None:
    answer = httpx.get(f"{proxied.url}{HANDSHAKE}", verify=proxied.tls())
    elsewhere = httpx.get(f"{proxied.url}/health", verify=proxied.tls())

    assert "set-cookie" not in elsewhere.headers
    if proxied.nginx.flavor == "1.22":
        assert "set-cookie" not in answer.headers, "1.22 makes none: it goes by the address"
        return
    cookie = SimpleCookie(answer.headers["set-cookie"])["pt_affinity"]
    assert cookie["path"] == "/socket.io/"
    assert cookie["httponly"] is True
    assert cookie["secure"] is True
    assert cookie["samesite"].lower() == "lax"
    assert int(cookie["max-age"]) == 3600


def test_a_session_stays_at_its_pod_when_the_list_of_pods_is_written_anew(proxied: Cluster) -> None:
    addresses = [pod.address for pod in proxied.gateways]
    apis = [pod.address for pod in proxied.apis]
    with httpx.Client(base_url=proxied.url, verify=proxied.tls()) as client:
        sid = client.get(HANDSHAKE).text.split('"sid":"')[1].split('"')[0]
        opening = f'40{{"token":"{proxied.token("ana")}"}}'
        assert client.post(f"{HANDSHAKE}&sid={sid}", content=opening).text.lower() == "ok"

        for order in (list(reversed(addresses)), addresses):
            proxied.nginx.route(gateways=order, apis=apis)
            answer = client.post(f"{HANDSHAKE}&sid={sid}", content='42["ping"]')
            assert (answer.status_code, answer.text.lower()) == (200, "ok")


# --- Pods that go ---------------------------------------------------------------------------------


async def test_a_drained_pod_and_a_killed_one_cost_nobody_a_message(breakable: Cluster) -> None:
    room = breakable.create_conversation()["id"]
    drained, killed, left = breakable.gateways
    async with clients_of(breakable) as clients:
        here = [
            await joined(clients, breakable, f"{way}-{number}", way, room)
            for way in WAYS
            for number in range(3)
        ]
        writing = asyncio.create_task(write(breakable, room, pause=0.05))

        await take_out(breakable, drained)
        killed.kill()
        await asyncio.sleep(2)  # messages of a time at which one is dead and still in the list
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

        for client in here:
            await eventually(partial(whole, client, room), "it is connected again", 30)
        last = breakable.send(room, "the last one")["seq"]
        for client in here:
            await eventually(partial(has_all, client, last), "it has all", 15)
            assert sequence(client) == list(range(1, last + 1)), client.name
    assert left.is_running


async def write(cluster: Cluster, room: str, pause: float) -> None:
    for number in range(1_000):
        await asyncio.to_thread(cluster.send, room, f"message {number}")
        await asyncio.sleep(pause)


async def take_out(cluster: Cluster, pod: Pod) -> None:
    """As k8s/nginx/README.md says: mark it, end it, and only then take its line away."""
    await asyncio.to_thread(cluster.nginx.route, **addresses_of(cluster), draining=[pod.address])
    assert await asyncio.to_thread(pod.stop, 20) == 0
    cluster.remove(pod)


def addresses_of(cluster: Cluster) -> dict[str, list[str]]:
    return {
        "gateways": [pod.address for pod in cluster.gateways],
        "apis": [pod.address for pod in cluster.apis],
    }


async def whole(client: JsClient, room: str) -> bool:
    """Whether it is connected; then it joins again from where it was, as the SDK does."""
    if not (await client.state())["connected"]:
        return False
    ask = {"conversation_id": room, "last_seq": newest(client)}
    answer = await client.call("join_conversation", ask)
    return bool(answer["ok"])


def sequence(client: JsClient) -> list[int]:
    """What it saw, without what it had seen before: replays after a reconnect may overlap."""
    return sorted({message["seq"] for message in client.events.of("message:new")})


def has_all(client: JsClient, last: int) -> bool:
    return newest(client) == last


def newest(client: JsClient) -> int:
    return max(sequence(client), default=0)


def test_new_clients_stay_away_from_a_marked_pod_and_old_ones_do_not(
    postgres_server: PostgresServer,
) -> None:
    """Of the newest nginx: 1.22 has no `drain`, there the pod itself refuses new clients."""
    with Cluster(postgres=postgres_server) as cluster:
        stay_away_from_a_marked_pod(cluster)


def stay_away_from_a_marked_pod(breakable: Cluster) -> None:
    marked = breakable.gateways[0]
    breakable.nginx.route(gateways=[marked.address], apis=[])
    with httpx.Client(base_url=breakable.url, verify=breakable.tls()) as old:
        sid = old.get(HANDSHAKE).text.split('"sid":"')[1].split('"')[0]

        breakable.nginx.route(**addresses_of(breakable), draining=[marked.address])

        opening = f'40{{"token":"{breakable.token("ana")}"}}'
        assert old.post(f"{HANDSHAKE}&sid={sid}", content=opening).status_code == 200

        def goes_elsewhere() -> bool:
            before = requests_of(marked)
            assert httpx.get(f"{breakable.url}{HANDSHAKE}", verify=breakable.tls()).is_success
            return requests_of(marked) == before

        # Workers of the configuration before accept for a moment longer.
        wait_until(goes_elsewhere, "new workers alone accept")
        assert all(goes_elsewhere() for _ in range(6))


def requests_of(pod: Pod) -> float:
    """How many polling requests it has answered."""
    lines = (
        line for line in pod.metrics().splitlines() if line.startswith("pytake_polling_requests")
    )
    return sum(float(line.split()[-1]) for line in lines)


# --- Reloads --------------------------------------------------------------------------------------


async def test_reloads_under_traffic_cost_nobody_a_message_or_a_connection(
    proxied: Cluster,
) -> None:
    room = proxied.create_conversation()["id"]
    async with clients_of(proxied) as clients:
        here = [await joined(clients, proxied, f"{way}-reload", way, room) for way in WAYS]
        writing = asyncio.create_task(write(proxied, room, pause=0.02))
        for _ in range(3):
            await asyncio.to_thread(proxied.nginx.route, **addresses_of(proxied))
            await asyncio.sleep(0.5)  # traffic between one reload and the next
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        last = proxied.send(room, "the last one")["seq"]

        for client in here:
            await eventually(partial(has_all, client, last), "it has all", 15)
            seen = [message["seq"] for message in client.events.of("message:new")]
            assert seen == list(range(1, last + 1)), client.name
            assert client.events.of("$disconnect") == [], client.name
