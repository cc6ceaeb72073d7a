"""Revocations and role changes as this process knows them: at most a second old.

The rows of the store are the truth. They are polled each second with an overlap, since a
transaction may become visible after a later one; Redis may bring a change sooner, through
`apply`. Where the store is away, what is known stays in force.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from pytake.application.ports import Clock, RightsChange, RightsLog
from pytake.domain.errors import ErrorCode, NotAuthenticated, Unavailable
from pytake.domain.ids import UserId
from pytake.domain.principal import Principal

log = structlog.get_logger()

POLL_EVERY_SECONDS = 0.5
"""A revocation holds on every pod within a second of its answer."""
OVERLAP = timedelta(seconds=15)
"""Longer than any transaction of ours may stay open."""

KEEP = timedelta(days=90)
"""Longer than any token should live; older changes are no longer loaded at a start."""

ChangeListener = Callable[[RightsChange], None]


class PolledRights:
    """Port `RightsView`, fed from a `RightsLog`. `load` once before serving, then `run`."""

    def __init__(self, rights_log: RightsLog, clock: Clock) -> None:
        self._log = rights_log
        self._clock = clock
        self._changes: dict[UserId, dict[int, RightsChange]] = defaultdict(dict)
        self._listeners: list[ChangeListener] = []
        self._polled_at: datetime | None = None

    def listen(self, listener: ChangeListener) -> None:
        """Be told of each change once, in the loop, after `judge` knows it."""
        self._listeners.append(listener)

    async def load(self) -> None:
        """Bring what is known up to date.

        Raises:
            Unavailable: The store did not answer; what was known stays.
        """
        now = self._clock()
        since = now - KEEP if self._polled_at is None else self._polled_at - OVERLAP
        for change in await self._log.changes_since(since):
            self.apply(change)
        self._polled_at = now

    async def run(self) -> None:
        """Poll until cancelled."""
        is_known_away = False
        while True:
            try:
                await self.load()
                is_known_away = False
            except Unavailable:
                if not is_known_away:
                    log.warning("rights not polled", reason="unavailable")
                is_known_away = True
            await asyncio.sleep(POLL_EVERY_SECONDS)

    def apply(self, change: RightsChange) -> None:
        """Take a change into account and tell the listeners, once."""
        known = self._changes[change.user_id]
        if change.id in known:
            return
        known[change.id] = change
        for listener in self._listeners:
            listener(change)

    def judge(self, principal: Principal) -> Principal:
        """Return the principal with its present role, or refuse it; see the port."""
        changes = self._changes.get(principal.user_id)
        if not changes:
            return principal
        role, role_changed_at = principal.role, None
        for change in changes.values():
            if change.organization_id != principal.organization_id:
                continue
            if change.token_id is not None:
                if change.token_id == principal.token_id:
                    raise NotAuthenticated(ErrorCode.TOKEN_REVOKED)
            elif not _is_judged_by(principal, change):
                continue
            elif change.role is None:
                raise NotAuthenticated(ErrorCode.TOKEN_REVOKED)
            elif role_changed_at is None or change.changed_at >= role_changed_at:
                role, role_changed_at = change.role, change.changed_at
        return principal if role is principal.role else replace(principal, role=role)


def _is_judged_by(principal: Principal, change: RightsChange) -> bool:
    """Tokens that do not say when they were issued are judged by every change."""
    return principal.issued_at is None or principal.issued_at <= change.changed_at
