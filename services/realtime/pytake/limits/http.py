"""How often a user may call the REST API: one budget over all routes, by slowapi.

Users and bots have budgets of their own; who has not signed in shares that of the
address. All of an organization together have a quota. Logins are counted a second time, by
address and by account.
"""

import logging
import math
from contextlib import AbstractAsyncContextManager
from typing import cast

from limits import RateLimitItem, RateLimitItemPerSecond
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from starlette.requests import Request

from pytake.domain.errors import TooMuch
from pytake.domain.ids import OrganizationId
from pytake.domain.principal import Principal, Role
from pytake.limits.addresses import budget_address
from pytake.limits.fair_share import FairShare
from pytake.limits.window_counts import WindowCounts

Rate = tuple[int, float]
"""(count, seconds)"""

SCOPE = "http"


class HttpLimits:
    """What the API asks before it works on a request (`messages_api.throttle.Throttle`)."""

    def __init__(
        self,
        *,
        user: Rate,
        bot: Rate,
        login: Rate,
        organization: Rate,
        fair_share: FairShare | None = None,
    ) -> None:
        self._limiter = Limiter(
            key_func=_budget_of, storage_uri="pytake://", strategy="sliding-window-counter"
        )
        # Each refusal is counted; a line each, with the user's id, would be a flood.
        self._limiter.logger.setLevel(logging.ERROR)
        self._login = _item(login)
        self._organization = _item(organization)
        self._fair_share = fair_share or FairShare()
        rates = {"user": _text(user), "bot": _text(bot), "address": _text(user)}

        def rate_of(key: str) -> str:
            return rates[key.partition(":")[0]]

        @self._limiter.shared_limit(rate_of, scope=SCOPE)
        async def take(request: Request) -> None:
            """slowapi counts what passes through here."""

        self._take = take

    @property
    def counts(self) -> WindowCounts:
        """What was counted, to be brought together with other pods."""
        return cast("WindowCounts", self._limiter.limiter.storage)

    async def admit(self, request: Request, principal: Principal | None) -> None:
        """Take one request from the budget of the user, or of the address if unknown.

        Raises:
            TooMuch: With the time after which one more is allowed.
        """
        request.state.budget = _budget(request, principal)
        try:
            await self._take(request)
        except RateLimitExceeded:
            item, identifiers = request.state.view_rate_limit
            raise self._refusal(item, *identifiers) from None

    async def admit_login(self, request: Request, account: str) -> None:
        """Take one attempt from the budget of the address, and one from that of the account.

        Raises:
            TooMuch: With the time after which one more is allowed.
        """
        for kind, whose in (("address", _address(request)), ("account", account[:320])):
            if not self._limiter.limiter.hit(self._login, "login", kind, whose):
                raise self._refusal(self._login, "login", kind, whose)

    def admit_organization(self, organization_id: OrganizationId) -> None:
        """Take one request from the quota of the organization.

        Raises:
            TooMuch: With the time after which one more is allowed.
        """
        if not self._limiter.limiter.hit(self._organization, "organization", organization_id):
            raise self._refusal(self._organization, "organization", organization_id)

    def share(self, organization_id: OrganizationId) -> AbstractAsyncContextManager[None]:
        """Wait for the organization's turn; see `FairShare.turn`."""
        return self._fair_share.turn(organization_id)

    def _refusal(self, item: RateLimitItem, *identifiers: str) -> TooMuch:
        seconds = self.counts.seconds_until_free(
            item.key_for(*identifiers), item.amount, item.get_expiry()
        )
        return TooMuch(retry_after_ms=max(1, math.ceil(seconds * 1000)))


def _budget_of(request: Request) -> str:
    budget: str = request.state.budget
    return budget


def _budget(request: Request, principal: Principal | None) -> str:
    if principal is None:
        return f"address:{_address(request)}"
    return f"{'bot' if principal.role is Role.BOT else 'user'}:{principal.user_id}"


def _address(request: Request) -> str:
    return budget_address(request.client.host if request.client else None)


def _text(rate: Rate) -> str:
    return f"{rate[0]} per {_whole_seconds(rate)} second"


def _item(rate: Rate) -> RateLimitItem:
    return RateLimitItemPerSecond(rate[0], _whole_seconds(rate))


def _whole_seconds(rate: Rate) -> int:
    return max(1, math.ceil(rate[1]))
