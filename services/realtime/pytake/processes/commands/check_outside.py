"""What clients meet at an address: the proxy's affinity, its upgrade, and its certificate."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

POLLS = 6
SOON_DAYS = 14

Check = Callable[[], Awaitable[str]]


class OutsideFailed(Exception):
    """What a client would meet, in words an operator can act on."""


def outside_checks(url: str) -> list[tuple[str, Check]]:
    """Return the checks of an address."""
    base = url.rstrip("/")
    checks: list[tuple[str, Check]] = [
        ("health", lambda: _health(base)),
        ("affinity", lambda: _affinity(base)),
        ("upgrade", lambda: _upgrade(base)),
    ]
    if urlsplit(base).scheme == "https":
        checks.insert(0, ("tls", lambda: _tls(base)))
    return checks


def _trust() -> ssl.SSLContext:
    """The system's authorities and those that SSL_CERT_FILE adds."""
    return ssl.create_default_context()


async def _health(base: str) -> str:
    async with httpx.AsyncClient(verify=_trust(), timeout=5) as client:
        answer = await client.get(f"{base}/health")
    if answer.status_code != 200 or answer.json().get("status") != "ok":
        raise OutsideFailed(f"GET /health answered {answer.status_code}")
    return f"version {answer.json().get('version')}"


async def _affinity(base: str) -> str:
    """A polling session whose requests reach several pods is refused with 400 by the others."""
    engine = f"{base}/socket.io/?EIO=4&transport=polling"
    async with httpx.AsyncClient(verify=_trust(), timeout=5) as client:
        answer = await client.get(engine)
        if answer.status_code != 200 or not answer.text.startswith("0{"):
            raise OutsideFailed(f"the polling handshake answered {answer.status_code}")
        session = httpx.Response(200, text=answer.text[1:]).json()["sid"]
        cookies = client.cookies
        for number in range(1, POLLS + 1):
            # A new connection each time: keep-alive would hide a proxy that forgets.
            async with httpx.AsyncClient(verify=_trust(), timeout=5, cookies=cookies) as fresh:
                posted = await fresh.post(f"{engine}&sid={session}", content="3")
            if posted.status_code != 200:
                raise OutsideFailed(
                    f"request {number} of a polling session answered {posted.status_code}: "
                    "it reached another pod (cookie stickiness of /socket.io/)"
                )
    return f"{POLLS} requests of a polling session reached the same pod"


async def _upgrade(base: str) -> str:
    parts = urlsplit(base)
    scheme = "wss" if parts.scheme == "https" else "ws"
    url = f"{scheme}://{parts.netloc}{parts.path}/socket.io/?EIO=4&transport=websocket"
    try:
        async with connect(
            url, ssl=_trust() if scheme == "wss" else None, open_timeout=5, proxy=None
        ) as socket:
            async with asyncio.timeout(5):
                first = await socket.recv()
    except InvalidStatus as error:
        raise OutsideFailed(
            f"the upgrade answered {error.response.status_code}: "
            "the proxy must pass Upgrade and Connection on"
        ) from None
    if not str(first).startswith("0{"):
        raise OutsideFailed("the socket opened, but Engine.IO did not answer")
    return "WebSocket opens"


async def _tls(base: str) -> str:
    parts = urlsplit(base)
    host = parts.hostname or ""
    try:
        _, writer = await asyncio.open_connection(host, parts.port or 443, ssl=_trust())
    except ssl.SSLCertVerificationError as error:
        raise OutsideFailed(f"the certificate is not trusted: {error.verify_message}") from None
    certificate = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    days = (ends - datetime.now(UTC)).days
    if days < SOON_DAYS:
        raise OutsideFailed(f"the certificate ends in {days} days ({ends:%Y-%m-%d})")
    return f"trusted, good for {days} days"
