"""`UserDirectory`, `RightsLog`, `RefreshTokens`, `AuditLog`: who may do what, and did."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import event

from pytake.application.access_ports import AuditEntry
from pytake.application.ports import User
from pytake.domain.errors import Conflict, InvalidPayload, NotFound
from pytake.domain.ids import OrganizationId, UserId
from pytake.domain.principal import Principal, Role
from store_world import World, new_id


async def test_an_email_address_belongs_to_one_user_whatever_its_case(world: World) -> None:
    users = world.store.users
    created = await users.create_user(
        world.organization, email="Eva@Demo.pytake", name="Eva", role=Role.AGENT, password_hash="x"
    )

    with pytest.raises(Conflict):
        await users.create_user(
            world.organization,
            email="eva@demo.pytake",
            name="E",
            role=Role.AGENT,
            password_hash=None,
        )

    found = await users.credentials("EVA@demo.pytake")
    assert found == (created, "x")


async def test_users_without_a_password_have_no_credentials(world: World) -> None:
    await world.store.users.create_user(
        world.organization, email="eva@demo.pytake", name="E", role=Role.AGENT, password_hash=None
    )

    assert await world.store.users.credentials("eva@demo.pytake") is None
    assert await world.store.users.credentials("nobody@demo.pytake") is None


async def test_a_valid_token_is_enough_to_exist(world: World) -> None:
    stranger = Principal(
        UserId(new_id()),
        OrganizationId(new_id()),
        Role.ADMIN,
        world.clock() + timedelta(hours=1),
        name="Zoe",
    )

    await asyncio.gather(*(world.store.users.ensure_principal(stranger) for _ in range(5)))

    user = await world.store.users.user(stranger.organization_id, stranger.user_id)
    assert user is not None
    assert (user.name, user.role) == ("Zoe", Role.ADMIN)


async def test_thousands_who_come_at_once_share_a_few_transactions(world: World) -> None:
    begun = 0

    def count(_: object) -> None:
        nonlocal begun
        begun += 1

    database = world.store._database
    engines = {database._readers.sync_engine, database._writers.sync_engine}
    organization = OrganizationId(new_id())
    strangers = [
        Principal(UserId(new_id()), organization, Role.AGENT, world.clock(), name=f"n{number}")
        for number in range(700)
    ]
    users = world.store.users

    for engine in engines:
        event.listen(engine, "begin", count)
    await asyncio.gather(*(users.ensure_principal(each) for each in strangers * 3))
    for engine in engines:
        event.remove(engine, "begin", count)

    assert {user.id for user in await users.users(organization)} == {
        each.user_id for each in strangers
    }
    assert begun <= 8


async def test_a_new_role_is_told_to_every_pod(world: World) -> None:
    before = world.clock.advance(1)

    changed = await world.store.users.change_user(
        world.organization, world.ana.user_id, name="Ana M.", role=Role.ADMIN, is_active=None
    )

    assert (changed.name, changed.role) == ("Ana M.", Role.ADMIN)
    [change] = await world.store.rights.changes_since(before)
    assert (change.user_id, change.role) == (world.ana.user_id, Role.ADMIN)


async def test_a_new_name_is_no_change_of_rights(world: World) -> None:
    await world.store.users.change_user(
        world.organization, world.ana.user_id, name="Ana M.", role=Role.AGENT, is_active=True
    )

    assert await world.store.rights.changes_since(world.clock()) == []


async def test_a_user_that_is_switched_off_is_revoked_and_has_no_tokens(world: World) -> None:
    await world.store.refresh_tokens.store("h1", world.ana.user_id, world.clock.advance(60))

    await world.store.users.change_user(
        world.organization, world.ana.user_id, name=None, role=None, is_active=False
    )

    [change] = await world.store.rights.changes_since(world.clock())
    assert change.role is None
    assert await _rotate(world, "h1", "h2") is None


async def test_nobody_changes_users_of_another_organization(world: World) -> None:
    with pytest.raises(NotFound):
        await world.store.users.change_user(
            OrganizationId(new_id()), world.ana.user_id, name="x", role=None, is_active=None
        )


async def test_revocations_are_read_from_a_moment_on(world: World) -> None:
    first = await world.store.rights.revoke(world.organization, world.ana.user_id, None)
    moment = world.clock.advance(1)
    second = await world.store.rights.revoke(world.organization, world.ana.user_id, "jti-1")

    assert await world.store.rights.changes_since(moment) == [second]
    assert await world.store.rights.changes_since(first.changed_at) == [first, second]


async def test_a_refresh_token_is_good_for_one_use(world: World) -> None:
    await _store(world, "h1")

    user = await _rotate(world, "h1", "h2")

    assert user is not None
    assert user.id == world.ana.user_id
    assert await _rotate(world, "h2", "h3") is not None


A_MOMENT, TOO_LATE = 5, 11
"""Seconds after its first use in which a token is taken once more, and is not."""


async def test_a_second_use_ends_the_whole_family(world: World) -> None:
    await _store(world, "h1")
    await _rotate(world, "h1", "h2")
    world.clock.advance(TOO_LATE)

    assert await _rotate(world, "h1", "stolen") is None
    assert await _rotate(world, "h2", "h3") is None


async def test_a_page_that_was_reloaded_too_early_may_come_once_more(world: World) -> None:
    await _store(world, "h1")
    await _rotate(world, "h1", "lost")
    world.clock.advance(A_MOMENT)

    assert await _rotate(world, "h1", "lost, too") is not None
    assert await _rotate(world, "h1", "h2") is not None
    world.clock.advance(TOO_LATE)
    assert await _rotate(world, "h2", "h3") is not None


async def test_of_thief_and_owner_who_both_used_it_the_slower_one_ends_the_family(
    world: World,
) -> None:
    """The successor that was replaced counts as used: at once, and later on."""
    for seconds in (0, A_MOMENT, TOO_LATE):
        first, second = f"first {seconds}", f"second {seconds}"
        await _store(world, f"h1 {seconds}")
        assert await _rotate(world, f"h1 {seconds}", first) is not None
        assert await _rotate(world, f"h1 {seconds}", second) is not None
        world.clock.advance(seconds)

        assert await _rotate(world, first, "third") is None
        assert await _rotate(world, second, "third") is None


async def test_once_the_successor_was_used_the_token_ends_the_family_at_once(
    world: World,
) -> None:
    await _store(world, "h1")
    await _rotate(world, "h1", "h2")
    world.clock.advance(1)
    await _rotate(world, "h2", "h3")

    assert await _rotate(world, "h1", "stolen") is None
    assert await _rotate(world, "h3", "h4") is None


async def test_of_many_uses_at_once_one_successor_is_good(world: World) -> None:
    await _store(world, "h1")
    made = [f"h2-{n}" for n in range(5)]

    answers = await asyncio.gather(*(_rotate(world, "h1", each) for each in made))

    assert any(answers)
    world.clock.advance(TOO_LATE)
    good = 0
    for each in made:
        good += await _rotate(world, each, f"next-{each}") is not None
    assert good <= 1


async def test_an_expired_or_unknown_refresh_token_is_none(world: World) -> None:
    await _store(world, "h1")
    world.clock.advance(3600)

    assert await _rotate(world, "h1", "h2") is None
    assert await _rotate(world, "nonsense", "h2") is None


async def test_signing_out_ends_the_family_and_no_other(world: World) -> None:
    await _store(world, "h1")
    await _store(world, "other")
    await _rotate(world, "h1", "h2")

    await world.store.refresh_tokens.end_family("h2")

    assert await _rotate(world, "h2", "h3") is None
    assert await _rotate(world, "other", "other-2") is not None
    await world.store.refresh_tokens.end_all_of(world.ana.user_id)
    assert await _rotate(world, "other-2", "other-3") is None


async def test_audit_entries_come_newest_first_in_pages(world: World) -> None:
    for action in ("a", "b", "c"):
        entry = AuditEntry(
            world.organization, world.clock(), action, world.admin.user_id, "user:1", {"n": 1}
        )
        await world.store.audit.record(entry)

    first = await world.store.audit.entries(world.organization, cursor=None, limit=2)
    second = await world.store.audit.entries(world.organization, cursor=first.next_cursor, limit=2)

    assert [entry.action for entry in (*first.items, *second.items)] == ["c", "b", "a"]
    assert second.next_cursor is None
    with pytest.raises(InvalidPayload):
        await world.store.audit.entries(world.organization, cursor="?", limit=2)


async def _store(world: World, token_hash: str) -> None:
    expires_at = world.clock() + timedelta(minutes=30)
    await world.store.refresh_tokens.store(token_hash, world.ana.user_id, expires_at)


async def _rotate(world: World, old: str, new: str) -> User | None:
    return await world.store.refresh_tokens.rotate(
        old, new, expires_at=world.clock() + timedelta(minutes=30), now=world.clock()
    )
