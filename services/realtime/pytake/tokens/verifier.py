"""Checks access tokens: algorithm, key, signature, times, issuer, audience, revocation.

A token that was good a moment ago is not decoded again. That is a third of what a request
costs that is refused for its organization's quota, and what makes refusing cheap protects the
others. Its expiry and its revocation are looked at each time.
"""

import base64
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import jwt

from pytake.application.access_ports import RightsView
from pytake.domain.errors import ErrorCode, NotAuthenticated
from pytake.domain.principal import Principal
from pytake.tokens.claims import principal_of

MAX_TOKEN_CHARACTERS = 16_384

LEEWAY_SECONDS = 5
"""How far the clocks of pods and of the provider may be apart."""

REMEMBER_SECONDS = 30.0
"""How long a good token is not decoded again; a key that its provider withdrew counts so long."""

MAX_REMEMBERED = 10_000
MAX_REMEMBERED_CHARACTERS = 2048

HMAC_ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})

Key = Any
"""What PyJWT takes: bytes for HMAC, a public key of `cryptography` else."""


class PublicKeys(Protocol):
    """The identity provider's keys."""

    async def key(self, key_id: str, algorithm: str) -> Key | None:
        """Return the key of this id if it may be used with the algorithm.

        Raises:
            Unavailable: The key is not known here and the provider cannot be asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What is accepted. Empty issuer or audience: not checked.

    `secrets` are the HMAC keys, the current one first. `claim_names` maps our name of a
    claim to the provider's.
    """

    algorithms: tuple[str, ...] = ("HS256",)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    issuer: str = ""
    audience: str = ""
    claim_names: Mapping[str, str] = field(default_factory=dict)


class JwtVerifier:
    """The one place where a token becomes a principal (port `TokenVerifier`)."""

    def __init__(
        self,
        rules: TokenRules,
        *,
        public_keys: PublicKeys | None = None,
        rights: RightsView | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._remembered: OrderedDict[str, tuple[Principal, float]] = OrderedDict()
        self._rules = rules
        self._public_keys = public_keys
        self._rights = rights
        self._options = {
            "require": ["exp"],
            "verify_aud": bool(rules.audience),
            "verify_iss": bool(rules.issuer),
            # A provider's clock may be ahead of ours; exp and nbf have the leeway for that.
            "verify_iat": False,
            # `sub` and `jti` are checked in `claims`, under the names that the provider uses.
            "verify_sub": False,
            "verify_jti": False,
        }

    async def __call__(self, token: str) -> Principal:
        """Return who the token speaks for; see the port for what is raised."""
        if not 0 < len(token) <= MAX_TOKEN_CHARACTERS or not token.isascii():
            raise NotAuthenticated
        principal = self._known(token)
        if principal is None:
            algorithm, keys = await self._keys_of(token)
            principal = principal_of(self._claims(token, algorithm, keys), self._rules.claim_names)
            self._remember(token, principal)
        return principal if self._rights is None else self._rights.judge(principal)

    def _known(self, token: str) -> Principal | None:
        """Return whom this very token, signature included, spoke for a moment ago."""
        principal, until = self._remembered.get(token, (None, 0.0))
        if principal is not None and self._clock() >= until:
            del self._remembered[token]
            return None
        return principal

    def _remember(self, token: str, principal: Principal) -> None:
        now = self._clock()
        until = min(now + REMEMBER_SECONDS, principal.expires_at.timestamp())
        if until <= now or len(token) > MAX_REMEMBERED_CHARACTERS:
            return
        self._remembered[token] = principal, until
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    async def _keys_of(self, token: str) -> tuple[str, Sequence[Key]]:
        try:
            header = _header(token.partition(".")[0])
        except (ValueError, RecursionError):
            raise NotAuthenticated from None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self._rules.algorithms:
            raise NotAuthenticated
        if algorithm in HMAC_ALGORITHMS:
            return algorithm, self._rules.secrets
        if self._public_keys is None or not isinstance(key_id, str):
            raise NotAuthenticated
        key = await self._public_keys.key(key_id, algorithm)
        return algorithm, () if key is None else (key,)

    def _claims(self, token: str, algorithm: str, keys: Sequence[Key]) -> dict[str, Any]:
        for key in keys:
            try:
                return jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    options=self._options,  # type: ignore[arg-type]
                    audience=self._rules.audience or None,
                    issuer=self._rules.issuer or None,
                    leeway=LEEWAY_SECONDS,
                )
            except jwt.InvalidSignatureError:
                continue
            except jwt.ExpiredSignatureError:
                raise NotAuthenticated(ErrorCode.TOKEN_EXPIRED) from None
            except (jwt.InvalidTokenError, jwt.InvalidKeyError):
                raise NotAuthenticated from None
            except (ValueError, TypeError, OverflowError, RecursionError):
                # Signed, but with claims that no library expects: `exp` as infinity, for one.
                raise NotAuthenticated from None
        raise NotAuthenticated


@lru_cache(maxsize=256)
def _header(segment: str) -> Mapping[str, Any]:
    """Return what the first part of a token says, unverified: an issuer's tokens share it.

    PyJWT decodes the whole token for it, and does so again to verify it.

    Raises:
        ValueError: It is no JSON object in base64.
    """
    header = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    return header
