"""Who is asking: the bearer token of the request, before anything else is looked at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request

from pytake.application.manage_users import require_admin
from pytake.domain.errors import NotAuthenticated
from pytake.domain.principal import Principal
from pytake.messages_api.door import Caller
from pytake.messages_api.services import Services, services_of

MAX_REMEMBERED = 20_000


@asynccontextmanager
async def signed_in(request: Request, api: Services) -> AsyncIterator[Principal]:
    """Give the principal, for as long as its organization's turn lasts.

    A request without a good token is taken from the budget of its address, one with a
    good token from the budget of its user.
    """
    caller: Caller = request.state.caller
    try:
        principal = caller.principal_or_refuse()
    except NotAuthenticated:
        await api.throttle.admit(request, None)
        raise
    await api.throttle.admit(request, principal)
    async with api.throttle.share(principal.organization_id):
        await _ensure_known(api, principal)
        yield principal


async def _ensure_known(api: Services, principal: Principal) -> None:
    """Create user and organization at their first use; remembered, so once a process."""
    key = (principal.user_id, principal.organization_id, principal.role, principal.name)
    if key in api.known_principals:
        return
    await api.users.ensure_principal(principal)
    if len(api.known_principals) >= MAX_REMEMBERED:
        api.known_principals.clear()
    api.known_principals.add(key)


async def _principal(
    request: Request, api: Annotated[Services, Depends(services_of)]
) -> AsyncIterator[Principal]:
    async with signed_in(request, api) as principal:
        yield principal


SignedIn = Annotated[Principal, Depends(_principal)]


async def admin(principal: SignedIn) -> Principal:
    """Give the principal if it is an admin; `forbidden` else."""
    require_admin(principal)
    return principal


Admin = Annotated[Principal, Depends(admin)]
