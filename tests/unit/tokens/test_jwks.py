"""Keys of an identity provider that rotates, floods and fails. The provider is a real server."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pytake.domain.errors import Unavailable
from pytake.processes.server import bind
from pytake.tokens.jwks import FETCH_AT_MOST_EVERY_SECONDS, MAX_JWKS_BYTES, JwksKeys

PRIVATE: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def public_jwk(algorithm: str, key_id: str, **more: str) -> dict[str, Any]:
    make = jwt.get_algorithm_by_name(algorithm).to_jwk
    data = json.loads(make(PRIVATE[algorithm].public_key()))
    return {**data, "kid": key_id, **more}


class Provider:
    """Serves a key set over HTTP and counts how often it is asked."""

    def __init__(self) -> None:
        self.body: bytes = b""
        self.status = 200
        self.asked = 0
        self.url = ""
        self.clients: list[JwksKeys] = []
        self.answers = asyncio.Event()
        self.answers.set()

    def has(self, *keys: dict[str, Any]) -> None:
        self.body = json.dumps({"keys": keys}).encode()

    def keys(self, monotonic: Callable[[], float] = time.monotonic) -> JwksKeys:
        self.clients.append(JwksKeys(self.url, monotonic=monotonic))
        return self.clients[-1]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        await self.answers.wait()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.body})


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    sock = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(provider, log_config=None, lifespan="off", ws="none"))
    task = asyncio.create_task(server._serve([sock]))
    provider.url = f"http://127.0.0.1:{sock.getsockname()[1]}/jwks.json"
    yield provider
    provider.answers.set()
    for client in provider.clients:
        await client.close()
    server.should_exit = True
    await task


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_keys_of_each_family_are_found_by_id(provider: Provider, algorithm: str) -> None:
    provider.has(*(public_jwk(each, f"k-{each}") for each in PRIVATE))
    keys = provider.keys()

    key = await keys.key(f"k-{algorithm}", algorithm)

    assert key is not None
    token = jwt.encode({"sub": "ana"}, PRIVATE[algorithm], algorithm=algorithm)
    assert jwt.decode(token, key, algorithms=[algorithm])["sub"] == "ana"
    others = [each for each in PRIVATE if each != algorithm]
    assert [await keys.key(f"k-{algorithm}", other) for other in others] == [None, None]


async def test_a_new_key_is_found_at_once_and_made_up_ids_do_not_flood(provider: Provider) -> None:
    now = 1000.0
    provider.has(public_jwk("ES256", "old"))
    keys = provider.keys(lambda: now)
    assert await keys.key("old", "ES256") is not None

    for number in range(50):
        assert await keys.key(f"made-up-{number}", "ES256") is None
    assert provider.asked == 1

    provider.has(public_jwk("ES256", "new"))
    now += FETCH_AT_MOST_EVERY_SECONDS
    assert await keys.key("new", "ES256") is not None
    assert await keys.key("old", "ES256") is None
    assert provider.asked == 2


async def test_who_gives_up_on_a_slow_provider_does_not_end_the_fetch_for_all(
    provider: Provider,
) -> None:
    now = 1000.0
    provider.has(public_jwk("ES256", "old"))
    keys = provider.keys(lambda: now)
    await keys.refresh()
    now += FETCH_AT_MOST_EVERY_SECONDS
    provider.has(public_jwk("ES256", "new"))
    provider.answers.clear()

    patient = asyncio.create_task(keys.key("new", "ES256"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await keys.key("new", "ES256")
    later = asyncio.create_task(keys.key("new", "ES256"))
    await asyncio.sleep(0.05)
    provider.answers.set()

    assert await patient is not None
    assert await later is not None
    assert provider.asked == 2


async def test_while_a_fetch_hangs_an_unknown_key_is_no_verdict(provider: Provider) -> None:
    now = 1000.0
    provider.has(public_jwk("ES256", "old"))
    keys = provider.keys(lambda: now)
    await keys.refresh()
    now += FETCH_AT_MOST_EVERY_SECONDS
    provider.answers.clear()

    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await keys.key("new", "ES256")
    assert await keys.key("old", "ES256") is not None


@pytest.mark.parametrize("failure", ["status", "not json", "no set", "too large"])
async def test_known_keys_stay_good_while_the_provider_fails(
    provider: Provider, failure: str
) -> None:
    now = 1000.0
    provider.has(public_jwk("EdDSA", "k"))
    keys = provider.keys(lambda: now)
    await keys.refresh()
    now += FETCH_AT_MOST_EVERY_SECONDS
    provider.status = 500 if failure == "status" else 200
    provider.body = {
        "status": provider.body,
        "not json": b"<html>",
        "no set": b"[]",
        "too large": b" " * (MAX_JWKS_BYTES + 1),
    }[failure]

    with pytest.raises(Unavailable):
        await keys.key("unknown", "EdDSA")
    assert await keys.key("k", "EdDSA") is not None


async def test_secrets_private_and_encryption_keys_in_the_set_are_passed_over(
    provider: Provider,
) -> None:
    private = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(PRIVATE["ES256"]))
    provider.has(
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        {**private, "kid": "private"},
        public_jwk("ES256", "encryption", use="enc"),
        {"kty": "EC", "crv": "P-256", "kid": "broken", "x": "!", "y": "!"},
        {"kty": "PQ", "kid": "of-the-future"},
    )
    keys = provider.keys()

    for key_id in ("secret", "private", "encryption", "broken", "of-the-future"):
        assert await keys.key(key_id, "ES256") is None
