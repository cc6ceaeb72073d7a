"""`pytake token`: a signed token for scripts and first steps."""

from datetime import datetime, timedelta

import jwt

from pytake.domain.principal import Role
from pytake.tokens.issuer import CannotIssue
from pytake.tokens.verifier import HMAC_ALGORITHMS, TokenRules


def signed_token(
    rules: TokenRules,
    *,
    user: str,
    organization: str,
    role: Role,
    ttl: timedelta,
    now: datetime,
) -> str:
    """Return a token for the ids as they are given; others than UUIDs are foreign ids.

    Raises:
        CannotIssue: There is no HMAC key to sign with.
    """
    algorithm = next((name for name in rules.algorithms if name in HMAC_ALGORITHMS), None)
    if algorithm is None or not rules.secrets:
        raise CannotIssue
    names = rules.claim_names
    claims: dict[str, object] = {
        names.get("sub", "sub"): user,
        names.get("organization_id", "organization_id"): organization,
        names.get("role", "role"): role.value,
        "iat": now.timestamp(),
        "exp": int((now + ttl).timestamp()),
    }
    if rules.issuer:
        claims["iss"] = rules.issuer
    if rules.audience:
        claims["aud"] = rules.audience
    return jwt.encode(claims, rules.secrets[0], algorithm=algorithm)
