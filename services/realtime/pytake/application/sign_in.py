"""Signing in with a password, staying signed in, and signing out."""

from dataclasses import dataclass
from datetime import timedelta

from pytake.application.access_ports import (
    AuditEntry,
    AuditLog,
    PasswordHasher,
    RefreshTokenMaker,
    TokenIssuer,
)
from pytake.application.ports import Clock, RefreshTokens, User, UserDirectory
from pytake.domain.errors import ErrorCode, NotAuthenticated

REFRESH_TOKEN_LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Session:
    """What somebody who signed in gets."""

    user: User
    access_token: str
    expires_in: int
    refresh_token: str


class SignIn:
    """Login, refresh and logout.

    A refresh token is good for one use. One that is used again was stolen from somebody:
    its whole family ends, the thief's as well as the owner's. Right after its use it may come
    once more, from a page that was reloaded too early (see `RefreshTokens.rotate`).
    """

    def __init__(
        self,
        users: UserDirectory,
        refresh_tokens: RefreshTokens,
        passwords: PasswordHasher,
        issue: TokenIssuer,
        maker: RefreshTokenMaker,
        audit: AuditLog,
        clock: Clock,
    ) -> None:
        self._users = users
        self._refresh_tokens = refresh_tokens
        self._passwords = passwords
        self._issue = issue
        self._maker = maker
        self._audit = audit
        self._clock = clock

    async def login(self, email: str, password: str) -> Session:
        """Return a session for the right password.

        Raises:
            NotAuthenticated: Wrong password, no such user, or no longer active: one answer
                for all, after the same time.
        """
        found = await self._users.credentials(email.strip().lower())
        user, password_hash = found if found is not None else (None, None)
        is_right = await self._passwords.is_right(password, password_hash)
        if user is None:
            raise _refused()
        if not is_right or not user.is_active:
            await self._remember(user, "login.failed")
            raise _refused()
        token, token_hash = self._maker.new()
        await self._refresh_tokens.store(
            token_hash, user.id, self._clock() + REFRESH_TOKEN_LIFETIME
        )
        await self._remember(user, "login.succeeded")
        return self._session(user, token)

    async def refresh(self, refresh_token: str) -> Session:
        """Return a new session for a refresh token, which is used up by it.

        Raises:
            NotAuthenticated: Unknown, expired, or used too long ago.
        """
        token, token_hash = self._maker.new()
        now = self._clock()
        user = await self._refresh_tokens.rotate(
            self._maker.hash_of(refresh_token),
            token_hash,
            expires_at=now + REFRESH_TOKEN_LIFETIME,
            now=now,
        )
        if user is None or not user.is_active:
            raise NotAuthenticated(detail="The refresh token is not valid.")
        return self._session(user, token)

    async def logout(self, refresh_token: str) -> None:
        """End the session of a refresh token; an unknown one is fine as well."""
        await self._refresh_tokens.end_family(self._maker.hash_of(refresh_token))

    def _session(self, user: User, refresh_token: str) -> Session:
        issued = self._issue(user)
        return Session(user, issued.token, issued.expires_in, refresh_token)

    async def _remember(self, user: User, action: str) -> None:
        await self._audit.record(
            AuditEntry(
                organization_id=user.organization_id,
                at=self._clock(),
                action=action,
                actor=user.id,
                subject=f"user:{user.id}",
            )
        )


def _refused() -> NotAuthenticated:
    return NotAuthenticated(ErrorCode.INVALID_TOKEN, "E-mail address or password is wrong.")
