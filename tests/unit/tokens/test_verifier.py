"""Which tokens are believed."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from pytake.application.ports import RightsChange
from pytake.domain.errors import ErrorCode, NotAuthenticated
from pytake.domain.principal import Role
from pytake.tokens import verifier as module
from pytake.tokens.rights import PolledRights
from pytake.tokens.verifier import REMEMBER_SECONDS, JwtVerifier, Key, TokenRules

SECRET, PREVIOUS = "s" * 32, "p" * 32
ANA = "6a1f0a3e-0000-4000-8000-000000000001"
ORGANIZATION = "6a1f0a3e-0000-4000-8000-00000000000a"


def claims(**changed: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    everything = {
        "sub": ANA,
        "organization_id": ORGANIZATION,
        "role": "agent",
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(minutes=5)).timestamp()),
    }
    return {name: value for name, value in (everything | changed).items() if value is not ...}


def signed(secret: str = SECRET, algorithm: str = "HS256", **changed: Any) -> str:
    return jwt.encode(claims(**changed), secret, algorithm=algorithm)


RULES = TokenRules(secrets=(SECRET, PREVIOUS))
verify = JwtVerifier(RULES)


async def code_of(token: str, verifier: JwtVerifier = verify) -> ErrorCode:
    with pytest.raises(NotAuthenticated) as caught:
        await verifier(token)
    return caught.value.code


async def test_a_good_token_says_who_is_asking() -> None:
    principal = await verify(signed(name="Ana", jti="t1"))

    assert principal.user_id == ANA
    assert principal.organization_id == ORGANIZATION
    assert principal.role is Role.AGENT
    assert (principal.name, principal.token_id) == ("Ana", "t1")


async def test_the_previous_secret_is_still_accepted() -> None:
    assert (await verify(signed(PREVIOUS))).user_id == ANA


@pytest.mark.parametrize("missing", ["sub", "organization_id", "role", "exp"])
async def test_each_of_the_four_claims_is_required(missing: str) -> None:
    assert await code_of(jwt.encode(claims(**{missing: ...}), SECRET)) is ErrorCode.INVALID_TOKEN


@pytest.mark.parametrize(
    "changed",
    [
        {"role": "root"},
        {"role": ["admin"]},
        {"sub": 7},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": "a\x00b"},
        {"sub": "\ud800"},
        {"organization_id": None},
        {"jti": 7},
        {"jti": "a\nb"},
        {"exp": "soon"},
        {"nbf": 4102444800},
    ],
    ids=str,
)
async def test_claims_of_the_wrong_kind_are_refused(changed: dict[str, Any]) -> None:
    assert await code_of(signed(**changed)) is ErrorCode.INVALID_TOKEN


@pytest.mark.parametrize("exp", ["1e999", "-1e999", "NaN"])
async def test_an_expiry_that_is_no_number_is_refused(exp: str) -> None:
    payload = json.dumps(claims(exp=0)).replace('"exp": 0', f'"exp": {exp}').encode()
    token = jwt.api_jws.encode(payload, SECRET, algorithm="HS256")

    assert await code_of(token) in (ErrorCode.INVALID_TOKEN, ErrorCode.TOKEN_EXPIRED)


async def test_an_expired_token_is_told_from_an_invalid_one() -> None:
    long_ago = int(datetime.now(UTC).timestamp()) - 60

    assert await code_of(signed(exp=long_ago)) is ErrorCode.TOKEN_EXPIRED
    assert await code_of(signed("x" * 32, exp=long_ago)) is ErrorCode.INVALID_TOKEN


async def test_another_key_and_another_hmac_algorithm_are_refused() -> None:
    assert await code_of(signed("x" * 32)) is ErrorCode.INVALID_TOKEN
    assert await code_of(signed("s" * 64, "HS512")) is ErrorCode.INVALID_TOKEN


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, ["HS256"], 7])
async def test_a_token_without_signature_is_refused(algorithm: object) -> None:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    token = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims())}."

    assert await code_of(token) is ErrorCode.INVALID_TOKEN


async def test_issuer_and_audience_are_checked_when_set() -> None:
    strict = JwtVerifier(TokenRules(secrets=(SECRET,), issuer="https://id", audience="pytake"))

    good = signed(iss="https://id", aud=["pytake", "other"])
    assert (await strict(good)).user_id == ANA
    assert await code_of(signed(iss="https://id"), strict) is ErrorCode.INVALID_TOKEN
    assert await code_of(signed(iss="https://id", aud="other"), strict) is ErrorCode.INVALID_TOKEN
    assert await code_of(signed(iss="https://di", aud="pytake"), strict) is ErrorCode.INVALID_TOKEN
    assert (await verify(signed(aud="whatever"))).user_id == ANA


async def test_foreign_ids_become_the_same_uuid_every_time_and_differ_by_issuer() -> None:
    one = await verify(signed(sub="auth0|77", organization_id="acme", iss="https://a"))
    again = await verify(signed(sub="auth0|77", organization_id="acme", iss="https://a"))
    other = await verify(signed(sub="auth0|77", organization_id="acme", iss="https://b"))

    assert one.user_id == again.user_id != other.user_id
    assert one.organization_id == again.organization_id != other.organization_id


async def test_claims_may_have_other_names() -> None:
    names = {"sub": "uid", "organization_id": "https://x/org", "role": "https://x/role"}
    verifier = JwtVerifier(TokenRules(secrets=(SECRET,), claim_names=names))
    token = signed(
        sub=..., organization_id=..., role="stranger",
        **{"uid": ANA, "https://x/org": ORGANIZATION, "https://x/role": "admin"},
    )  # fmt: skip

    assert (await verifier(token)).role is Role.ADMIN


@given(st.one_of(st.text(), st.text(alphabet="abcXYZ019-_=.", max_size=80)))
async def test_no_text_makes_the_verifier_fail_otherwise(text: str) -> None:
    assert await code_of(text) is ErrorCode.INVALID_TOKEN


async def test_a_header_nested_without_end_is_refused() -> None:
    header = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 9000).rstrip(b"=").decode()

    assert await code_of(f"{header}.e30.x") is ErrorCode.INVALID_TOKEN


class OneKey:
    """A provider with one key, known by the id `k`."""

    def __init__(self, key: Key) -> None:
        self._key = key

    async def key(self, key_id: str, algorithm: str) -> Key | None:
        return self._key if key_id == "k" else None


@pytest.mark.parametrize(
    ("algorithm", "private"),
    [
        ("RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=["RS256", "ES256", "EdDSA"],
)
async def test_signed_tokens_meet_public_keys_alone(algorithm: str, private: Any) -> None:
    public = private.public_key()
    rules = TokenRules(algorithms=("HS256", algorithm), secrets=(SECRET,))
    verifier = JwtVerifier(rules, public_keys=OneKey(public))

    good = jwt.encode(claims(), private, algorithm=algorithm, headers={"kid": "k"})
    assert (await verifier(good)).user_id == ANA

    unknown = jwt.encode(claims(), private, algorithm=algorithm, headers={"kid": "z"})
    assert await code_of(unknown, verifier) is ErrorCode.INVALID_TOKEN

    # Algorithm confusion: the public key, which everybody has, used as an HMAC secret.
    for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
        secret = public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        confused = _hmac_token({"alg": "HS256", "kid": "k"}, secret)
        assert await code_of(confused, verifier) is ErrorCode.INVALID_TOKEN


def _hmac_token(header: dict[str, str], secret: bytes) -> str:
    """What PyJWT refuses to make: an HMAC over a public key."""

    def part(raw: bytes) -> bytes:
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    signing = part(json.dumps(header).encode()) + b"." + part(json.dumps(claims()).encode())
    return (signing + b"." + part(hmac.new(secret, signing, hashlib.sha256).digest())).decode()


async def test_a_token_that_is_remembered_can_still_be_revoked_and_is_decoded_again_in_time() -> (
    None
):
    """What is remembered is the signature; rights are judged each time."""
    seconds = [datetime.now(UTC).timestamp()]
    rights: Any = PolledRights(None, lambda: datetime.now(UTC))  # type: ignore[arg-type]
    remembering = JwtVerifier(RULES, rights=rights, clock=lambda: seconds[0])
    token = signed(jti="t1")

    principal = await remembering(token)
    assert await remembering(token) is principal
    seconds[0] += REMEMBER_SECONDS
    assert await remembering(token) is not principal

    organization = principal.organization_id
    changed_at = datetime.now(UTC)
    rights.apply(RightsChange(1, principal.user_id, organization, changed_at, None, "t1"))
    assert await code_of(token, remembering) is ErrorCode.TOKEN_REVOKED


async def test_a_token_is_remembered_until_its_expiry_at_most() -> None:
    seconds = [datetime.now(UTC).timestamp()]
    remembering = JwtVerifier(RULES, clock=lambda: seconds[0])
    soon, leeway = int(seconds[0]) + 3, int(seconds[0]) - 3
    await remembering(signed(exp=soon))
    await remembering(signed(exp=leeway))

    [(_, until)] = remembering._remembered.values()
    assert until == soon


async def test_one_letter_makes_it_another_token() -> None:
    token = signed()
    await verify(token)

    # Not the last one, two bits of which are nobody's.
    for position in range(0, len(token) - 1, 7):
        letter = "A" if token[position] != "A" else "B"
        changed = token[:position] + letter + token[position + 1 :]
        assert await code_of(changed) is ErrorCode.INVALID_TOKEN


async def test_only_so_many_tokens_are_remembered_and_no_long_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    remembering = JwtVerifier(RULES)
    for number in range(5):
        await remembering(signed(jti=str(number)))
    await remembering(signed(jti="long", name="x" * 3000))

    names = [principal.token_id for principal, _ in remembering._remembered.values()]
    assert names == ["2", "3", "4"]
