"""What this API asks of whoever keeps the limits."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from starlette.requests import Request

from pytake.domain.ids import OrganizationId
from pytake.domain.principal import Principal


class Throttle(Protocol):
    """Budgets over all routes. Each method raises `TooMuch` with `retry_after_ms`."""

    async def admit(self, request: Request, principal: Principal | None) -> None:
        """Take one request from the budget of the user, or of the address if unknown."""
        ...

    async def admit_login(self, request: Request, account: str) -> None:
        """Take one attempt from the budgets of the address and of the account."""
        ...

    def admit_organization(self, organization_id: OrganizationId) -> None:
        """Take one request from the quota of the organization."""
        ...

    def share(self, organization_id: OrganizationId) -> AbstractAsyncContextManager[None]:
        """Wait for the organization's turn, so that no other one pays for its rush.

        Raises `overloaded` when too many of its requests wait already.
        """
        ...
