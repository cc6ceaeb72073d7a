"""Tokens as the settings ask for them, for every process that lets people in."""

from dataclasses import dataclass

import structlog

from pytake.application.access_ports import TokenIssuer
from pytake.application.ports import Clock
from pytake.processes.server import Work
from pytake.settings import Settings
from pytake.tokens.issuer import CannotIssue, JwtIssuer
from pytake.tokens.jwks import JwksKeys
from pytake.tokens.rights import PolledRights
from pytake.tokens.verifier import JwtVerifier, TokenRules

log = structlog.get_logger(__name__)


def token_rules(settings: Settings) -> TokenRules:
    """Return what the settings accept; the current secret comes first."""
    secrets = (settings.jwt_secret, settings.jwt_previous_secret)
    return TokenRules(
        algorithms=settings.jwt_algorithms,
        secrets=tuple(secret.get_secret_value() for secret in secrets if secret is not None),
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        claim_names=settings.jwt_claims,
    )


@dataclass(frozen=True, slots=True)
class Tokens:
    """`verify` for everybody; `issue` is None where another provider signs people in.

    `work` keeps keys fresh and has to run as long as the process; `close` ends it.
    """

    verify: JwtVerifier
    issue: TokenIssuer | None
    keys: JwksKeys | None

    @property
    def work(self) -> list[Work]:
        return [] if self.keys is None else [self.keys.run]

    async def close(self) -> None:
        """Close connections to the identity provider."""
        if self.keys is not None:
            await self.keys.close()


def build_tokens(settings: Settings, rights: PolledRights, clock: Clock) -> Tokens:
    """Return the checker and the maker of tokens."""
    rules = token_rules(settings)
    keys = JwksKeys(settings.jwt_jwks_url) if settings.jwt_jwks_url else None
    issue: TokenIssuer | None
    try:
        issue = JwtIssuer(rules, ttl=settings.access_token_ttl, clock=clock)
    except CannotIssue:
        issue = None
    return Tokens(JwtVerifier(rules, public_keys=keys, rights=rights), issue, keys)
