"""Who is asking: the bearer token of the request, before anything else is looked at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request

from pytake.application.manage_users import require_admin
from pytake.domain.errors import NotAuthenticated
from pytake.domain.principal import Principal
from pytake.messages_api.door import Caller
from pytake.messages_api.json_bodies import receive_body
from pytake.messages_api.services import Services, services_of

MAX_REMEMBERED = 20_000


async def identified(request: Request, api: Services) -> Principal:
    """Return who is asking, and take the request from its budget.

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
    return principal


@asynccontextmanager
async def turn_of(api: Services, principal: Principal) -> AsyncIterator[None]:
    """Hold a turn of the principal's organization.

    Never while somebody is waited for outside: a few clients that send or take slowly would
    hold every turn of the process.
    """
    async with api.throttle.share(principal.organization_id):
        await _ensure_known(api, principal)
        yield


@asynccontextmanager
async def signed_in(request: Request, api: Services) -> AsyncIterator[Principal]:
    """Give the principal, for as long as its organization's turn lasts."""
    principal = await identified(request, api)
    await receive_body(request)
    async with turn_of(api, principal):
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


# "function": the turn ends before the answer is sent, which may take as long as the client likes.
SignedIn = Annotated[Principal, Depends(_principal, scope="function")]


async def _without_turn(
    request: Request, api: Annotated[Services, Depends(services_of)]
) -> Principal:
    return await identified(request, api)


SignedInWithoutTurn = Annotated[Principal, Depends(_without_turn)]
"""For routes that read what may take long; they take a `turn_of` themselves, afterwards."""


async def admin(principal: SignedIn) -> Principal:
    """Give the principal if it is an admin; `forbidden` else."""
    require_admin(principal)
    return principal


Admin = Annotated[Principal, Depends(admin)]
