"""Affinity cookies in a real Chromium: pages on the same site, on another one, with and without.

What docs/troubleshooting.md says of "Session ID unknown" is found here.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from cluster.certificates import Certificates, create_certificates
from cluster.cluster import Cluster
from cluster.nginx_server import NginxServer
from cluster.postgres_server import PostgresServer
from cluster.programs import temporary_folder
from conftest import left_out_if_missing
from e2e.browsers import chromium

pytestmark = pytest.mark.integration

CLIENT = Path(__file__).parents[1] / "e2e/js/node_modules/socket.io-client/dist/socket.io.min.js"
PAGE = b"<!doctype html><title>A page of the product</title><script src=/socket.io.js></script>"

# Connect, and talk for a while: a session that does not stay at its pod ends within two requests.
TALK = """
([url, options]) => new Promise((resolve) => {
  const socket = io(url, { forceNew: true, reconnection: false, ...options });
  const end = (how) => { socket.close(); resolve(how); };
  socket.on("connect_error", (error) => end(`refused: ${error.message}`));
  socket.on("disconnect", (reason) => end(`lost: ${reason}`));
  socket.on("connect", async () => {
    for (let count = 0; count < 5; count += 1) {
      const heard = await socket.timeout(5000).emitWithAck("ping", {}).catch(() => null);
      if (!heard) return;
    }
    const last = options.transports.at(-1);
    const isThere = () => socket.io.engine.transport.name === last;
    if (!isThere()) await new Promise((then) => socket.io.engine.once("upgrade", then));
    socket.off("disconnect");
    end(socket.io.engine.transport.name);
  });
})
"""

Site = Literal["same site", "other scheme", "other site"]


@contextmanager
def pages(certificates: Certificates | None = None, host: str = "localhost") -> Iterator[str]:
    """A server with one page and the official client; gives its origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_script = self.path == "/socket.io.js"
            body = CLIENT.read_bytes() if is_script else PAGE
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if is_script else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The test says what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificates is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{scheme}://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def origins() -> Iterator[dict[str, str]]:
    certificates = create_certificates(temporary_folder("pages"))
    with ExitStack() as stack:
        yield {
            "same site": stack.enter_context(pages(certificates)),
            "other scheme": stack.enter_context(pages()),
            "other site": stack.enter_context(pages(certificates, host="127.0.0.1")),
        }


@pytest.fixture(scope="module")
def cluster(postgres_server: PostgresServer, origins: dict[str, str]) -> Iterator[Cluster]:
    settings = {"PYTAKE_CORS_ALLOWED_ORIGINS": ",".join(origins.values())}
    with left_out_if_missing():
        cluster = Cluster(postgres=postgres_server, settings=settings)
    with cluster:
        yield cluster


@pytest.fixture(scope="module")
def proxies(cluster: Cluster) -> Iterator[dict[str, NginxServer]]:
    """The shipped affinity (Lax), its variant for pages of other sites (None), and Debian's."""
    affinity = (
        "sticky cookie pt_affinity expires=1h path=/socket.io/ httponly secure samesite=none;"
    )
    with left_out_if_missing():
        none = NginxServer(
            cluster.folder,
            cluster.certificates,
            changes={"PYTAKE_NGINX_AFFINITY": affinity},
        )
        address = NginxServer(cluster.folder, cluster.certificates, flavor="1.22")
    for proxy in (none, address):
        proxy.route(
            gateways=[pod.address for pod in cluster.gateways],
            apis=[pod.address for pod in cluster.apis],
        )
        proxy.start()
        proxy.wait_until_serving()
    yield {"lax": cluster.nginx, "none": none, "address": address}
    for proxy in (none, address):
        proxy.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh profile: no cookies of the test before."""
    context = browser.new_context(ignore_https_errors=True)
    yield context.new_page()
    context.close()


POLLING, UPGRADE, WEBSOCKET = ["polling"], ["polling", "websocket"], ["websocket"]
STAYS: list[tuple[str, Site, bool]] = [
    ("lax", "same site", True),
    ("none", "same site", True),
    ("address", "same site", False),
    ("address", "other site", False),
]
"""Affinity, where the page lives, withCredentials: sessions that stay at their pod."""

STRAYS: list[tuple[str, Site, bool]] = [
    ("lax", "same site", False),
    ("lax", "other site", True),
    ("lax", "other scheme", True),
    ("none", "other site", False),
    ("none", "other site", True),
    ("none", "other scheme", True),
]
"""The cookie is not sent, or not kept: that of another site is a third party's in this browser."""


def talked(
    page: Page,
    cluster: Cluster,
    proxy: NginxServer,
    origin: str,
    *,
    credentials: bool,
    by: list[str],
) -> str:
    page.goto(origin)
    options = {
        "auth": {"token": cluster.token("ana")},
        "transports": by,
        "withCredentials": credentials,
    }
    how: str = page.evaluate(TALK, [proxy.url, options])
    return how


@pytest.mark.parametrize("by", [POLLING, UPGRADE], ids=["polling", "upgrade"])
@pytest.mark.parametrize(("affinity", "site", "credentials"), STAYS)
def test_a_session_stays_at_its_pod(
    affinity: str, site: Site, credentials: bool, by: list[str],
    page: Page, cluster: Cluster, proxies: dict[str, NginxServer], origins: dict[str, str],
) -> None:  # fmt: skip
    how = talked(page, cluster, proxies[affinity], origins[site], credentials=credentials, by=by)

    assert how == by[-1]


@pytest.mark.parametrize(("affinity", "site", "credentials"), STRAYS)
def test_without_the_cookie_a_polling_session_is_lost_at_once(
    affinity: str, site: Site, credentials: bool,
    page: Page, cluster: Cluster, proxies: dict[str, NginxServer], origins: dict[str, str],
) -> None:  # fmt: skip
    how = talked(
        page, cluster, proxies[affinity], origins[site], credentials=credentials, by=POLLING
    )

    assert how.startswith(("refused: xhr", "lost: transport"))


@pytest.mark.parametrize(("affinity", "site", "credentials"), [*STAYS, *STRAYS])
def test_a_websocket_needs_no_cookie(
    affinity: str, site: Site, credentials: bool,
    page: Page, cluster: Cluster, proxies: dict[str, NginxServer], origins: dict[str, str],
) -> None:  # fmt: skip
    how = talked(
        page, cluster, proxies[affinity], origins[site], credentials=credentials, by=WEBSOCKET
    )

    assert how == "websocket"
