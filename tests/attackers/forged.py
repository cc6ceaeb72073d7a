"""Every way we know to make a token that must not let anybody in.

Both halves of the matrix, REST and socket, try all of them: one that is added here is tried
on every route and every event from then on.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rest.server import SECRET

ISSUER, AUDIENCE = "https://id.example.test", "pytake"
AN_HOUR = 3600

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = PRIVATE.public_key()

Claims = dict[str, Any]


def public_jwk(key: Any, algorithm: str, key_id: str) -> dict[str, Any]:
    """Return a public key as a provider's key set names it."""
    members: dict[str, Any] = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(key))
    return members | {"kid": key_id, "use": "sig", "alg": algorithm}


def key_server(keys: Sequence[dict[str, Any]]) -> Any:
    """Return an ASGI application that serves the key set, whatever is in it at the moment."""

    async def provider(scope: Any, receive: Any, send: Any) -> None:
        body = json.dumps({"keys": list(keys)}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return provider


def good_claims(user_id: str, organization_id: str, role: str = "admin") -> Claims:
    """Return what would let its bearer in, were it signed as it should be."""
    now = int(datetime.now(UTC).timestamp())
    return {
        "sub": user_id,
        "organization_id": organization_id,
        "role": role,
        "iat": now,
        "exp": now + 600,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "jti": str(uuid4()),
    }


def hmac_over_public_key(claims: Claims, encoding: Encoding) -> str:
    """PyJWT would refuse to make this token; an attacker does not use PyJWT."""
    secret = PUBLIC.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    header = part(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "k1"}).encode())
    signed = header + b"." + part(json.dumps(claims).encode())
    return (signed + b"." + part(hmac.new(secret, signed, hashlib.sha256).digest())).decode()


TOKENS: dict[str, Callable[[Claims], str]] = {
    "expired": lambda c: jwt.encode({**c, "exp": c["exp"] - AN_HOUR}, SECRET),
    "not yet valid": lambda c: jwt.encode({**c, "nbf": c["exp"] + AN_HOUR}, SECRET),
    "wrong key": lambda c: jwt.encode(c, "x" * 32),
    "alg none": lambda c: jwt.encode(c, "", algorithm="none"),
    "confusion (PEM)": lambda c: hmac_over_public_key(c, Encoding.PEM),
    "confusion (DER)": lambda c: hmac_over_public_key(c, Encoding.DER),
    "signature cut short": lambda c: jwt.encode(c, SECRET, headers={"kid": "k1"})[:-4],
    "unknown kid": lambda c: jwt.encode(c, PRIVATE, "RS256", headers={"kid": "../k1"}),
    "no kid": lambda c: jwt.encode(c, PRIVATE, "RS256"),
    "algorithm not allowed": lambda c: jwt.encode(c, PRIVATE, "RS512", headers={"kid": "k1"}),
    "wrong audience": lambda c: jwt.encode({**c, "aud": "other"}, SECRET),
    "no audience": lambda c: jwt.encode({k: v for k, v in c.items() if k != "aud"}, SECRET),
    "wrong issuer": lambda c: jwt.encode({**c, "iss": "https://evil.test"}, SECRET),
    "no expiry": lambda c: jwt.encode({k: v for k, v in c.items() if k != "exp"}, SECRET),
    "no organization": lambda c: jwt.encode({**c, "organization_id": None}, SECRET),
    "unknown role": lambda c: jwt.encode({**c, "role": "root"}, SECRET),
    "garbage": lambda c: "a.b.c",
    "empty": lambda c: "",
}


def expected_code(kind: str) -> str:
    """Return the code that a token of this kind is refused with."""
    return "token_expired" if kind == "expired" else "invalid_token"
