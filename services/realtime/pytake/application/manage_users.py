"""An admin makes, changes and revokes users."""

from pytake.application.access_ports import AuditEntry, AuditLog, PasswordHasher, RightsView
from pytake.application.ports import Clock, RefreshTokens, RightsLog, User, UserDirectory
from pytake.domain.errors import NotFound, Refused
from pytake.domain.ids import UserId
from pytake.domain.principal import Principal, Role


def require_admin(principal: Principal) -> None:
    """Return if the principal is an admin.

    Raises:
        Refused: `forbidden`.
    """
    if principal.role is not Role.ADMIN:
        raise Refused(detail="Only an admin may do this.")


class ManageUsers:
    """Users of the admin's own organization; each act is remembered in the audit log."""

    def __init__(
        self,
        users: UserDirectory,
        rights_log: RightsLog,
        rights: RightsView,
        refresh_tokens: RefreshTokens,
        passwords: PasswordHasher,
        audit: AuditLog,
        clock: Clock,
    ) -> None:
        self._users = users
        self._rights_log = rights_log
        self._rights = rights
        self._refresh_tokens = refresh_tokens
        self._passwords = passwords
        self._audit = audit
        self._clock = clock

    async def create(
        self, principal: Principal, *, email: str, name: str, role: Role, password: str | None
    ) -> User:
        """Make a user; without a password it can only come with another provider's token.

        Raises:
            Refused: The principal is no admin.
            Conflict: The e-mail address is taken.
        """
        require_admin(principal)
        password_hash = None if password is None else await self._passwords.hash(password)
        user = await self._users.create_user(
            principal.organization_id,
            email=email.strip().lower(),
            name=name,
            role=role,
            password_hash=password_hash,
        )
        await self._remember(principal, "user.created", user.id, role=role.value)
        return user

    async def change(
        self,
        principal: Principal,
        user_id: UserId,
        *,
        name: str | None,
        role: Role | None,
        is_active: bool | None,
    ) -> User:
        """Change a user; a new role or a deactivation holds everywhere within a second.

        Raises:
            Refused: The principal is no admin, or would take its own role away.
            NotFound: No such user in the organization.
        """
        require_admin(principal)
        if user_id == principal.user_id and (
            is_active is False or role not in (None, principal.role)
        ):
            raise Refused(detail="An admin cannot take its own rights away.")
        user = await self._users.change_user(
            principal.organization_id, user_id, name=name, role=role, is_active=is_active
        )
        if is_active is False:
            await self._refresh_tokens.end_all_of(user_id)
        await self._remember(
            principal,
            "user.changed",
            user_id,
            role=None if role is None else role.value,
            is_active=is_active,
        )
        return user

    async def revoke(self, principal: Principal, user_id: UserId, token_id: str | None) -> None:
        """End all sessions of a user, or one access token, on all pods within a second.

        Raises:
            Refused: The principal is no admin.
            NotFound: No such user in the organization.
        """
        require_admin(principal)
        if await self._users.user(principal.organization_id, user_id) is None:
            raise NotFound
        change = await self._rights_log.revoke(principal.organization_id, user_id, token_id)
        self._rights.apply(change)
        if token_id is None:
            await self._refresh_tokens.end_all_of(user_id)
        await self._remember(principal, "user.revoked", user_id, token_id=token_id)

    async def _remember(
        self, principal: Principal, action: str, user_id: UserId, **details: object
    ) -> None:
        await self._audit.record(
            AuditEntry(
                organization_id=principal.organization_id,
                at=self._clock(),
                action=action,
                actor=principal.user_id,
                subject=f"user:{user_id}",
                details={name: value for name, value in details.items() if value is not None},
            )
        )
