"""Revocations and roles, as a process judges tokens by them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pytake.application.ports import RightsChange
from pytake.domain.errors import ErrorCode, NotAuthenticated, Unavailable
from pytake.domain.ids import OrganizationId, UserId
from pytake.domain.principal import Principal, Role
from pytake.tokens.rights import PolledRights

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ANA, BRUNO = UserId("ana"), UserId("bruno")
HERE = OrganizationId("here")


class Rows:
    """A rights log whose rows the test writes, and which can be away."""

    def __init__(self) -> None:
        self.rows: list[RightsChange] = []
        self.asked: list[datetime] = []
        self.is_away = False

    async def changes_since(self, moment: datetime) -> Sequence[RightsChange]:
        if self.is_away:
            raise Unavailable
        self.asked.append(moment)
        return [row for row in self.rows if row.changed_at >= moment]

    async def revoke(
        self, organization_id: OrganizationId, user_id: UserId, token_id: str | None
    ) -> RightsChange:
        row = change(len(self.rows) + 1, user_id, token_id=token_id)
        self.rows.append(row)
        return row


def change(
    number: int,
    user: UserId = ANA,
    at: datetime = NOON,
    role: Role | None = None,
    token_id: str | None = None,
) -> RightsChange:
    return RightsChange(number, user, HERE, at, role=role, token_id=token_id)


def ana(issued_at: datetime | None, token_id: str | None = None) -> Principal:
    return Principal(
        ANA, HERE, Role.AGENT, NOON + timedelta(hours=1), token_id=token_id, issued_at=issued_at
    )


def rights_with(*changes: RightsChange) -> PolledRights:
    rights = PolledRights(Rows(), clock=lambda: NOON)
    for each in changes:
        rights.apply(each)
    return rights


BEFORE, AFTER = NOON - timedelta(seconds=1), NOON + timedelta(milliseconds=1)


@pytest.mark.parametrize("issued_at", [BEFORE, NOON, None])
def test_a_revoked_user_is_refused_with_tokens_of_before(issued_at: datetime | None) -> None:
    with pytest.raises(NotAuthenticated) as caught:
        rights_with(change(1)).judge(ana(issued_at))

    assert caught.value.code is ErrorCode.TOKEN_REVOKED


def test_a_token_issued_after_the_revocation_is_good() -> None:
    assert rights_with(change(1)).judge(ana(AFTER)).user_id == ANA


def test_a_revoked_token_stays_revoked_and_others_of_the_user_are_good() -> None:
    rights = rights_with(change(1, token_id="t1"))

    with pytest.raises(NotAuthenticated):
        rights.judge(ana(AFTER, token_id="t1"))
    assert rights.judge(ana(BEFORE, token_id="t2")).user_id == ANA


def test_the_newest_role_counts_for_older_tokens_whatever_order_it_came_in() -> None:
    later = NOON + timedelta(minutes=1)
    rights = rights_with(change(2, at=later, role=Role.ADMIN), change(1, role=Role.BOT))

    assert rights.judge(ana(BEFORE)).role is Role.ADMIN
    assert rights.judge(ana(later + timedelta(seconds=1))).role is Role.AGENT


def test_changes_of_others_change_nothing() -> None:
    elsewhere = RightsChange(2, ANA, OrganizationId("there"), NOON)

    assert rights_with(change(1, BRUNO), elsewhere).judge(ana(BEFORE)) == ana(BEFORE)


async def test_polling_overlaps_and_tells_each_change_once() -> None:
    rows, now = Rows(), NOON
    rights = PolledRights(rows, clock=lambda: now)
    told: list[int] = []
    rights.listen(lambda change: told.append(change.id))
    await rights.load()
    await rows.revoke(HERE, ANA, None)

    await rights.load()
    now = NOON + timedelta(seconds=5)
    await rights.load()

    assert told == [1]
    assert rows.asked[0] < NOON - timedelta(days=30)
    assert rows.asked[2] < NOON


async def test_what_is_known_stays_in_force_while_the_store_is_away() -> None:
    rows = Rows()
    rights = PolledRights(rows, clock=lambda: NOON)
    await rows.revoke(HERE, ANA, None)
    await rights.load()
    rows.is_away = True

    with pytest.raises(Unavailable):
        await rights.load()
    with pytest.raises(NotAuthenticated):
        rights.judge(ana(BEFORE))
