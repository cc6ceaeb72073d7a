"""Passwords, refresh tokens, and access tokens of our own."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from pytake.application.ports import User
from pytake.domain.errors import ErrorCode, Unavailable
from pytake.domain.ids import OrganizationId, UserId
from pytake.domain.principal import Role
from pytake.tokens.issuer import CannotIssue, JwtIssuer
from pytake.tokens.passwords import MAX_WAITING, Argon2Passwords
from pytake.tokens.refresh import RandomRefreshTokens
from pytake.tokens.verifier import JwtVerifier, TokenRules

ANA = User(
    UserId("6a1f0a3e-0000-4000-8000-000000000001"),
    OrganizationId("6a1f0a3e-0000-4000-8000-00000000000a"),
    Role.AGENT,
    "Ana",
    "ana@example.test",
)


@pytest.mark.parametrize(
    "rules",
    [
        TokenRules(secrets=("s" * 32,)),
        TokenRules(secrets=("s" * 32,), issuer="https://us", audience="pytake"),
        TokenRules(secrets=("s" * 32,), claim_names={"sub": "uid", "role": "https://x/role"}),
        TokenRules(algorithms=("RS256", "HS512"), secrets=("s" * 64,)),
    ],
    ids=["plain", "issuer and audience", "other names", "HS512"],
)
async def test_what_we_issue_we_accept(rules: TokenRules) -> None:
    now = datetime.now(UTC)
    issue = JwtIssuer(rules, ttl=timedelta(minutes=15), clock=lambda: now)

    issued = issue(ANA)
    principal = await JwtVerifier(rules)(issued.token)

    assert issued.expires_in == 900
    assert (principal.user_id, principal.organization_id) == (ANA.id, ANA.organization_id)
    assert (principal.role, principal.name) == (Role.AGENT, "Ana")
    assert principal.token_id
    assert principal.issued_at is not None
    assert abs(principal.issued_at - now) < timedelta(milliseconds=1)


@pytest.mark.parametrize("rules", [TokenRules(), TokenRules(("RS256",), ("s" * 32,))])
def test_without_an_hmac_key_nothing_is_issued(rules: TokenRules) -> None:
    with pytest.raises(CannotIssue):
        JwtIssuer(rules, ttl=timedelta(minutes=15), clock=lambda: datetime.now(UTC))


async def test_a_password_is_recognised_by_its_hash_alone() -> None:
    passwords = Argon2Passwords()
    stored = await passwords.hash("correct horse")

    assert stored.startswith("$argon2id$")
    assert await passwords.is_right("correct horse", stored)
    assert not await passwords.is_right("wrong horse", stored)
    assert not await passwords.is_right("correct horse", None)
    assert not await passwords.is_right("correct horse", "not a hash")
    passwords.close()


async def test_hashing_does_not_hold_up_the_loop() -> None:
    passwords = Argon2Passwords()
    stored = await passwords.hash("x")
    logins = [asyncio.ensure_future(passwords.is_right("y", stored)) for _ in range(20)]

    longest = 0.0
    while not all(login.done() for login in logins):
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - before)

    assert longest < 0.25
    passwords.close()


async def test_a_flood_of_logins_is_refused_beyond_the_bound() -> None:
    passwords = Argon2Passwords()
    stored = await passwords.hash("x")
    waiting = [asyncio.ensure_future(passwords.is_right("y", stored)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)

    with pytest.raises(Unavailable) as caught:
        await passwords.is_right("y", stored)

    assert caught.value.code is ErrorCode.OVERLOADED
    passwords.close()
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def test_refresh_tokens_are_random_and_known_by_their_hash() -> None:
    maker = RandomRefreshTokens()

    (one, one_hash), (other, _) = maker.new(), maker.new()

    assert one != other
    assert maker.hash_of(one) == one_hash
    assert one not in one_hash
    assert len(maker.hash_of("\ud800")) == len(one_hash)
