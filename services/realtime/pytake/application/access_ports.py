"""Who is asking, and what is remembered of it: tokens, passwords, rights, audit.

The same rules as in `ports`: a method raises `Unavailable` when its neighbour cannot be
reached or is too slow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pytake.application.ports import Page, RightsChange, User
from pytake.domain.ids import OrganizationId, UserId
from pytake.domain.principal import Principal


class TokenVerifier(Protocol):
    """From the text of an access token to the principal it speaks for."""

    async def __call__(self, token: str) -> Principal:
        """Check signature, times, issuer, audience, claims and revocations.

        The role is that of the newest change known, not that of an older token.

        Raises:
            NotAuthenticated: `invalid_token`, `token_expired` or `token_revoked`.
            Unavailable: The keys cannot be had at the moment; the token may be good.
        """
        ...


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token of ours and the seconds until it expires."""

    token: str
    expires_in: int


class TokenIssuer(Protocol):
    """Makes access tokens for who signed in with a password."""

    def __call__(self, user: User) -> IssuedToken: ...


class PasswordHasher(Protocol):
    """Hashes passwords slowly, without holding up the loop."""

    async def hash(self, password: str) -> str: ...

    async def is_right(self, password: str, password_hash: str | None) -> bool:
        """Compare; takes as long for a `None` hash (no such user) as for a wrong password."""
        ...


class RightsView(Protocol):
    """Changes of rights as this process knows them, at most a second old."""

    def judge(self, principal: Principal) -> Principal:
        """Return the principal with its present role.

        Raises:
            NotAuthenticated: `token_revoked`.
        """
        ...

    def apply(self, change: RightsChange) -> None:
        """Take a change into account at once; the same one again changes nothing."""
        ...


class RefreshTokenMaker(Protocol):
    """Random refresh tokens; only their hash is ever stored."""

    def new(self) -> tuple[str, str]:
        """Return a new token and its hash."""
        ...

    def hash_of(self, token: str) -> str: ...


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act that an organization may later have to account for.

    `action` is a short dotted name (`login.succeeded`, `user.revoked`); `subject` what
    it was done to, as `kind:id`. Never holds a password, a token or a message.
    """

    organization_id: OrganizationId
    at: datetime
    action: str
    actor: UserId | None = None
    subject: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    id: int | None = None
    """Given by the store; None until stored."""


class AuditLog(Protocol):
    """Logins, assignments, revocations and exports. Store attribute: `audit`."""

    async def record(self, entry: AuditEntry) -> None: ...

    async def entries(
        self, organization_id: OrganizationId, *, cursor: str | None, limit: int
    ) -> Page[AuditEntry]:
        """Return the organization's entries, newest first.

        Raises:
            InvalidPayload: The cursor is not one that we gave.
        """
        ...
