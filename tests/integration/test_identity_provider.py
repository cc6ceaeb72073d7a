"""Another identity provider signs people in: real processes, its key set on a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attackers.forged import AUDIENCE, ISSUER, good_claims, public_jwk
from cluster.pods import Pod, run_pytake
from cluster.waiting import eventually
from integration.gateway.clients import Client
from rest.server import listening

pytestmark = pytest.mark.integration

KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


@dataclass
class Provider:
    """An identity provider: its key set, and how often it was asked for it."""

    keys: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    is_away: bool = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        status = 503 if self.is_away else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        body = json.dumps({"keys": self.keys}).encode()
        await send({"type": "http.response.body", "body": body})


@dataclass
class Platform:
    """A gateway and an API that know people by their provider alone."""

    provider: Provider
    gateway: Pod
    api: Pod


@pytest.fixture
async def platform(tmp_path: Path, redis_url: str) -> AsyncIterator[Platform]:
    provider = Provider([public_jwk(key.public_key(), name, name) for name, key in KEYS.items()])
    async with listening(provider) as address:
        settings = {
            "PYTAKE_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'provider.db'}",
            "PYTAKE_REDIS_URL": redis_url,
            "PYTAKE_JWT_ALGORITHMS": ",".join(KEYS),
            "PYTAKE_JWT_JWKS_URL": f"{address}/jwks.json",
            "PYTAKE_JWT_ISSUER": ISSUER,
            "PYTAKE_JWT_AUDIENCE": AUDIENCE,
            "PYTAKE_MEDIA_URL": f"file:{tmp_path / 'media'}",
            "PYTAKE_DRAIN_SECONDS": "0",
        }
        await asyncio.to_thread(run_pytake, "migrate", settings=settings, folder=tmp_path)
        pods = [Pod(kind, kind, tmp_path, settings) for kind in ("gateway", "api")]
        try:
            for pod in pods:
                pod.start()
            for pod in pods:
                await asyncio.to_thread(pod.wait_until_serving)
            yield Platform(provider, *pods)
        finally:
            for pod in pods:
                if pod.is_running:
                    pod.kill()


def token(algorithm: str, key: Any = None, **changed: Any) -> str:
    """Return a token of somebody whose ids are no UUIDs, as providers have them."""
    claims = good_claims("auth0|ana", "org_2f", "agent") | changed
    return jwt.encode(claims, key or KEYS[algorithm], algorithm, headers={"kid": algorithm})


async def connects(pod: Pod, bearer: str) -> dict[str, Any]:
    """Return what the gateway says to the token: the greeting, or the refusal."""
    client = Client(pod.address, bearer)
    try:
        await client.sio.connect(client.url, auth=client.auth, transports=["websocket"])
        greeting: dict[str, Any] = await client.next("connected")
        return greeting
    except Exception:
        return dict(client.refused[0]["data"]) if client.refused else {"code": "closed"}
    finally:
        await client.close()


async def asks(pod: Pod, bearer: str) -> tuple[int, str]:
    async with httpx.AsyncClient() as http:
        headers = {"Authorization": f"Bearer {bearer}"}
        answer = await http.get(f"{pod.address}/api/v1/conversations", headers=headers)
    return answer.status_code, answer.json().get("code", "")


async def test_people_come_in_by_keys_of_every_kind_and_by_no_others(platform: Platform) -> None:
    users = set()
    for algorithm in KEYS:
        greeting = await connects(platform.gateway, token(algorithm))
        assert await asks(platform.api, token(algorithm)) == (200, "")
        users.add(greeting["user_id"])
    assert len(users) == 1, "one subject is one user, whatever key signed for it"

    strangers = {
        "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }
    bad = {f"{name} by a stranger": token(name, key) for name, key in strangers.items()}
    bad["a key of another kind"] = jwt.encode(
        good_claims("auth0|ana", "org_2f"), KEYS["ES256"], "ES256", headers={"kid": "RS256"}
    )
    for name, key in KEYS.items():
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        bad[f"{name} as HMAC secret"] = hmac_signed(public, name)
    bad["another audience"] = token("ES256", aud="somebody else")
    for name, bearer in bad.items():
        assert (await connects(platform.gateway, bearer)).get("code") == "invalid_token", name
        assert await asks(platform.api, bearer) == (401, "invalid_token"), name
    expired = token("EdDSA", exp=1)
    assert (await connects(platform.gateway, expired))["code"] == "token_expired"


def hmac_signed(secret: bytes, key_id: str) -> str:
    """PyJWT does not sign with a public key; an attacker does not use PyJWT."""
    signer = jwt.get_algorithm_by_name("HS256")
    unsigned = jwt.encode(good_claims("a", "b"), "x" * 32, "HS256", headers={"kid": key_id})
    signed = unsigned.rpartition(".")[0]
    signature = jwt.utils.base64url_encode(signer.sign(signed.encode(), secret)).decode()
    return f"{signed}.{signature}"


async def test_a_new_key_is_found_and_made_up_ones_do_not_turn_us_against_the_provider(
    platform: Platform,
) -> None:
    new = ed25519.Ed25519PrivateKey.generate()
    signed = jwt.encode(
        good_claims("auth0|ana", "org_2f", "agent"), new, "EdDSA", headers={"kid": "new"}
    )
    assert (await connects(platform.gateway, signed))["code"] == "invalid_token"
    platform.provider.keys.append(public_jwk(new.public_key(), "EdDSA", "new"))

    async def is_known() -> bool:
        return "user_id" in await connects(platform.gateway, signed)

    await eventually(is_known, "the new key is good, ten seconds after the last look", 15)

    before = platform.provider.asked
    for _ in range(20):
        made_up = jwt.encode(good_claims("a", "b"), new, "EdDSA", headers={"kid": str(uuid4())})
        assert (await connects(platform.gateway, made_up))["code"] in (
            "invalid_token",
            "rate_limited",
        )
    assert platform.provider.asked - before <= 3


async def test_while_the_provider_is_away_known_keys_go_on_and_others_may_try_again(
    platform: Platform,
) -> None:
    platform.provider.is_away = True
    unknown = jwt.encode(
        good_claims("auth0|ana", "org_2f"), KEYS["ES256"], "ES256", headers={"kid": "unknown"}
    )

    async def is_retryable() -> bool:
        return await asks(platform.api, unknown) == (503, "unavailable")

    await eventually(is_retryable, "a key that cannot be looked up is no bad token", 15)
    assert "user_id" in await connects(platform.gateway, token("ES256"))
    assert await asks(platform.api, token("RS256")) == (200, "")
