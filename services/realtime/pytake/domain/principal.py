"""Who is asking: the user a valid token speaks for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pytake.domain.ids import OrganizationId, UserId


class Role(StrEnum):
    ADMIN = "admin"
    AGENT = "agent"
    BOT = "bot"


@dataclass(frozen=True, slots=True)
class Principal:
    """A user of one organization, for as long as the token lives."""

    user_id: UserId
    organization_id: OrganizationId
    role: Role
    expires_at: datetime
    name: str = ""
    token_id: str | None = None
    issued_at: datetime | None = None

    @property
    def sees_organization(self) -> bool:
        """Admins and bots see every conversation of their organization."""
        return self.role is not Role.AGENT
