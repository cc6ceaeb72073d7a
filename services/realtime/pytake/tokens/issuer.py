"""Makes our own access tokens, with the current HMAC key."""

import secrets
from datetime import timedelta

import jwt

from pytake.application.access_ports import IssuedToken
from pytake.application.ports import Clock, User
from pytake.tokens.verifier import HMAC_ALGORITHMS, TokenRules


class CannotIssue(Exception):
    """No HMAC algorithm or key is set: tokens come from the identity provider alone."""


class JwtIssuer:
    """Issues tokens that `JwtVerifier` with the same rules accepts (port `TokenIssuer`).

    Raises:
        CannotIssue: The rules have no HMAC key.
    """

    def __init__(self, rules: TokenRules, *, ttl: timedelta, clock: Clock) -> None:
        algorithm = next((name for name in rules.algorithms if name in HMAC_ALGORITHMS), None)
        if algorithm is None or not rules.secrets:
            raise CannotIssue
        self._algorithm = algorithm
        self._rules = rules
        self._ttl = ttl
        self._clock = clock

    def __call__(self, user: User) -> IssuedToken:
        """Return a token for the user, good from now on."""
        now = self._clock()
        names = self._rules.claim_names
        claims: dict[str, object] = {
            names.get("sub", "sub"): user.id,
            names.get("organization_id", "organization_id"): user.organization_id,
            names.get("role", "role"): user.role.value,
            names.get("name", "name"): user.name,
            # With fractions: who signs in right after a revocation is not taken for before it.
            "iat": now.timestamp(),
            "exp": int((now + self._ttl).timestamp()),
            "jti": secrets.token_hex(16),
        }
        if self._rules.issuer:
            claims["iss"] = self._rules.issuer
        if self._rules.audience:
            claims["aud"] = self._rules.audience
        token = jwt.encode(claims, self._rules.secrets[0], algorithm=self._algorithm)
        return IssuedToken(token, int(self._ttl.total_seconds()))
