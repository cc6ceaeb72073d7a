"""The Graph API over HTTP: each call ends in an answer, an error, or nothing known."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from pytake.whatsapp.provider_errors import ProviderError, read_error

TIMEOUT_SECONDS = 20.0
CONNECT_SECONDS = 5.0
MAX_CONNECTIONS = 680
"""Ten numbers with all their requests on the way: 48 sends and 20 signs each. What finds no
connection for 5 s has not left."""
NUMBER_FIELDS = "display_phone_number,verified_name,quality_rating,messaging_limit_tier"
UNKNOWN_FIELD_CODE = 100
DOWNLOAD_SECONDS = 120.0
MAX_DOWNLOAD_BYTES = 100 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Accepted:
    """Meta took the message; it is not yet sent. `wa_id` is the address it really has."""

    whatsapp_message_id: str
    wa_id: str | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Meta did not take it."""

    error: ProviderError


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer came after the request had left: it may or may not have been taken."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The request never left: nothing was taken."""

    reason: str


SendResult = Accepted | Rejected | Unknown | Unreachable


class GraphError(Exception):
    """A call other than a send failed; `error` says how, None if nobody answered."""

    def __init__(self, error: ProviderError | None, text: str) -> None:
        self.error = error
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Number:
    """What a request needs to speak for a number."""

    phone_number_id: str
    access_token: str


class GraphClient:
    """Speaks for any number over one pool of connections."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        version: str,
        timeout: float = TIMEOUT_SECONDS,
        download_timeout: float = DOWNLOAD_SECONDS,
    ) -> None:
        self._http = http
        self._version = version
        # Waiting for a connection, TCP and TLS come before the time for the answer.
        self._send_timeout = timeout + 3 * _connect_seconds(timeout)
        self._download_timeout = download_timeout

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        api_url: str,
        version: str,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = TIMEOUT_SECONDS,
        download_timeout: float = DOWNLOAD_SECONDS,
        max_connections: int = MAX_CONNECTIONS,
    ) -> AsyncIterator["GraphClient"]:
        """Open a client; `transport` may lead to an application in this process."""
        connect = _connect_seconds(timeout)
        async with httpx.AsyncClient(
            base_url=api_url.rstrip("/"),
            timeout=httpx.Timeout(timeout, connect=connect, pool=connect),
            limits=httpx.Limits(
                max_connections=max_connections, max_keepalive_connections=max_connections
            ),
            transport=transport,
        ) as http:
            yield cls(http, version, timeout, download_timeout)

    async def send(self, number: Number, body: Mapping[str, Any]) -> SendResult:
        """Send one message. Never raises for what the network does."""
        try:
            # The client's own timeouts are per read; this one is for the whole request.
            async with asyncio.timeout(self._send_timeout):
                response = await self._post(number, "messages", json=dict(body))
        except TimeoutError:
            return Unknown("timeout")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Unreachable(type(error).__name__)
        except httpx.HTTPError as error:
            return Unknown(type(error).__name__)
        answer = _json(response)
        if response.status_code >= 400:
            return _refusal(response.status_code, answer)
        try:
            message_id = answer["messages"][0]["id"]
        except (LookupError, TypeError):
            return Unknown(f"answer {response.status_code} without a message id")
        contacts = _objects(answer.get("contacts"))
        wa_id = contacts[0].get("wa_id") if contacts else None
        return Accepted(str(message_id), str(wa_id) if wa_id else None)

    async def mark_read(self, number: Number, message_id: str, *, typing: bool = False) -> None:
        """Show the customer that a message was read, and (25 s long) that one is typing.

        Raises:
            GraphError: It was not taken; nothing depends on it.
        """
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": message_id,
        }
        if typing:
            body["typing_indicator"] = {"type": "text"}
        await self._checked("POST", number, f"{number.phone_number_id}/messages", json=body)

    async def upload(self, number: Number, data: bytes, mime_type: str, filename: str) -> str:
        """Give a file to Meta and return its id, good for 30 days.

        Raises:
            GraphError: It was not taken.
        """
        answer = await self._checked(
            "POST",
            number,
            f"{number.phone_number_id}/media",
            data={"messaging_product": "whatsapp", "type": mime_type},
            files={"file": (filename, data, mime_type)},
        )
        if not isinstance(answer.get("id"), str):
            raise GraphError(None, "upload answered without an id")
        return str(answer["id"])

    async def download(self, number: Number, provider_id: str) -> tuple[bytes, str]:
        """Fetch a customer's file; return it with its declared type.

        The address that Meta gives lives for minutes, so it is asked for each time.

        Raises:
            GraphError: It is gone, too large, too slow, or Meta did not answer.
        """
        answer = await self._checked("GET", number, quote(provider_id, safe=""))
        url = answer.get("url")
        if not isinstance(url, str):
            raise GraphError(None, "media without an address")
        try:
            async with (
                asyncio.timeout(self._download_timeout),
                self._http.stream("GET", url, headers=_bearer(number)) as response,
            ):
                if response.status_code >= 400:
                    raise GraphError(
                        ProviderError(None, response.status_code), "the address has expired"
                    )
                data = await _bounded(response)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise GraphError(None, type(error).__name__) from error
        return data, str(answer.get("mime_type", "application/octet-stream"))

    async def number_info(self, number: Number) -> dict[str, Any]:
        """Return what a number tells of itself: how it is shown and rated, and its account.

        Not every version tells all of it; a version that knows no account is asked without.

        Raises:
            GraphError: Meta did not answer.
        """
        try:
            query = {"fields": f"{NUMBER_FIELDS},whatsapp_business_account"}
            return await self._checked("GET", number, number.phone_number_id, params=query)
        except GraphError as problem:
            if problem.error is None or problem.error.code != UNKNOWN_FIELD_CODE:
                raise
        query = {"fields": NUMBER_FIELDS}
        return await self._checked("GET", number, number.phone_number_id, params=query)

    async def templates(self, number: Number, account_id: str) -> list[dict[str, Any]]:
        """Return every template of a business account.

        Raises:
            GraphError: Meta did not give the list.
        """
        found: list[dict[str, Any]] = []
        after: str | None = None
        for _ in range(100):
            query = {"limit": "100"} | ({"after": after} if after else {})
            path = f"{quote(account_id, safe='')}/message_templates"
            page = await self._checked("GET", number, path, params=query)
            found += _objects(page.get("data"))
            paging = _object(page.get("paging"))
            after = _object(paging.get("cursors")).get("after") if paging.get("next") else None
            if not isinstance(after, str):
                break
        return found

    async def _post(self, number: Number, path: str, **request: Any) -> httpx.Response:
        url = f"/{self._version}/{number.phone_number_id}/{path}"
        return await self._http.post(url, headers=_bearer(number), **request)

    async def _checked(
        self, method: str, number: Number, path: str, **request: Any
    ) -> dict[str, Any]:
        try:
            response = await self._http.request(
                method, f"/{self._version}/{path}", headers=_bearer(number), **request
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise GraphError(None, type(error).__name__) from error
        answer = _json(response)
        if response.status_code >= 400:
            refusal = read_error(answer.get("error"), response.status_code)
            raise GraphError(refusal, refusal.details or refusal.title or str(refusal.http_status))
        return answer


def _connect_seconds(timeout: float) -> float:
    return min(CONNECT_SECONDS, timeout / 4)


def _refusal(http_status: int, answer: dict[str, Any]) -> SendResult:
    """An error with Meta's envelope is an answer; a bare 5xx of a proxy tells nothing."""
    if not isinstance(answer.get("error"), dict) and http_status >= 500:
        return Unknown(f"HTTP {http_status}")
    return Rejected(read_error(answer.get("error"), http_status))


def _bearer(number: Number) -> dict[str, str]:
    return {"Authorization": f"Bearer {number.access_token}"}


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return _object(answer)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


async def _bounded(response: httpx.Response) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MAX_DOWNLOAD_BYTES:
            raise GraphError(None, "the file is too large")
        chunks.append(chunk)
    return b"".join(chunks)
