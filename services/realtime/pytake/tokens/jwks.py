"""The identity provider's public keys, fetched without ever holding up the loop.

Keys are known by `kid`. An unknown one is looked up at once, but at most once in ten
seconds: tokens with made-up ids cannot turn us against the provider. Keys that were
fetched stay good while the provider is away. All who ask meanwhile wait for one fetch,
which goes on when one of them gives up.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import structlog

from pytake.domain.errors import Unavailable
from pytake.tokens.verifier import Key

log = structlog.get_logger()

REFRESH_EVERY_SECONDS = 600
"""How soon a key that the provider withdrew is forgotten."""

FETCH_AT_MOST_EVERY_SECONDS = 10
FETCH_TIMEOUT_SECONDS = 5
"""Of each read and write; a fetch altogether has until the next one may begin."""

MAX_JWKS_BYTES = 262_144

_FAMILIES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


@dataclass(frozen=True, slots=True)
class _PublicKey:
    key: Key
    family: str
    algorithm: str | None

    def may_be_used_with(self, algorithm: str) -> bool:
        return _FAMILIES.get(algorithm[:2]) == self.family and self.algorithm in (None, algorithm)


class JwksKeys:
    """Port `PublicKeys` over a JWKS address."""

    def __init__(
        self,
        url: str,
        *,
        client: httpx.AsyncClient | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._client = client or httpx.AsyncClient(timeout=FETCH_TIMEOUT_SECONDS)
        self._monotonic = monotonic
        self._keys: Mapping[str, _PublicKey] = {}
        self._tried_at = float("-inf")
        self._is_current = False
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, key_id: str, algorithm: str) -> Key | None:
        """Return the key, asking the provider if it is new to us; see the port."""
        found = self._keys.get(key_id)
        if found is None:
            await self._look_again()
            found = self._keys.get(key_id)
        if found is None:
            if not self._is_current:
                raise Unavailable(detail="The identity provider's keys cannot be had.")
            return None
        return found.key if found.may_be_used_with(algorithm) else None

    async def _look_again(self) -> None:
        waited = self._monotonic() - self._tried_at
        if self._fetching is not None or waited >= FETCH_AT_MOST_EVERY_SECONDS:
            await self.refresh()

    @property
    def count(self) -> int:
        """How many keys are known."""
        return len(self._keys)

    async def refresh(self) -> None:
        """Fetch the keys now; what cannot be fetched leaves the known ones in place."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(), name="fetch keys")
        await asyncio.shield(self._fetching)

    async def run(self) -> None:
        """Keep the keys fresh until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(
                REFRESH_EVERY_SECONDS if self._is_current else FETCH_AT_MOST_EVERY_SECONDS
            )

    async def close(self) -> None:
        """Close the connections to the provider."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        await self._client.aclose()

    async def _fetch(self) -> None:
        self._tried_at = self._monotonic()
        self._is_current = False
        try:
            async with asyncio.timeout(FETCH_AT_MOST_EVERY_SECONDS):
                self._keys = _parse(await self._get())
            self._is_current = True
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            log.warning("keys not fetched", reason=type(error).__name__)
        finally:
            self._fetching = None

    async def _get(self) -> bytes:
        async with self._client.stream("GET", self._url) as answer:
            answer.raise_for_status()
            body = b""
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_JWKS_BYTES:
                    raise ValueError("the key set is too large")
            return body


def _parse(body: bytes) -> Mapping[str, _PublicKey]:
    """Return the signing keys by id; keys of kinds that are new to us are passed over."""
    document = json.loads(body)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a key set")
    keys: dict[str, _PublicKey] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not _is_public_signing_key(entry):
            continue
        try:
            key = jwt.PyJWK(entry).key
        except (jwt.PyJWKError, jwt.InvalidKeyError, ValueError):
            continue
        keys[entry["kid"]] = _PublicKey(key, entry["kty"], entry.get("alg"))
    return keys


def _is_public_signing_key(entry: Mapping[str, Any]) -> bool:
    """Secrets ("oct") and private keys have no place in a set that everybody can read."""
    return (
        isinstance(entry.get("kid"), str)
        and entry.get("use", "sig") == "sig"
        and entry.get("kty") in _FAMILIES.values()
        and "d" not in entry
    )
