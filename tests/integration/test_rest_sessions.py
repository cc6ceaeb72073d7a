"""Signing in, staying signed in, signing out; and what is remembered of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pytake.domain.principal import Role
from pytake.tokens.passwords import Argon2Passwords
from rest.server import Person, RestServer, rest_server

pytestmark = pytest.mark.integration

PASSWORD = "correct horse battery"
LOGIN, REFRESH, LOGOUT = (f"/api/v1/auth/{name}" for name in ("login", "refresh", "logout"))


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[RestServer]:
    async with rest_server(tmp_path) as server:
        yield server


@pytest.fixture
async def admin(rest: RestServer) -> Person:
    return await rest.person("admin", name="Root")


@pytest.fixture
async def ana(rest: RestServer, admin: Person) -> dict[str, Any]:
    made = await admin.post(
        "/users",
        {"email": "Ana@example.test", "name": "Ana", "role": "agent", "password": PASSWORD},
    )
    assert made.status_code == 201, made.text
    user: dict[str, Any] = made.json()
    return user


async def login(
    rest: RestServer, password: str = PASSWORD, email: str = "ana@example.test"
) -> httpx.Response:
    return await rest.client.post(LOGIN, json={"email": email, "password": password})


async def test_the_right_password_gives_a_token_that_works(
    rest: RestServer, ana: dict[str, Any]
) -> None:
    answer = await login(rest)

    body = answer.json()
    assert answer.status_code == 200
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert body["user"]["id"] == ana["id"]
    me = Person(rest.client, ana["id"], ana["organization_id"], body["access_token"])
    assert (await me.get("/conversations")).status_code == 200
    assert answer.headers["cache-control"] == "no-store"


async def test_a_wrong_password_and_an_unknown_address_answer_alike(
    rest: RestServer, ana: dict[str, Any]
) -> None:
    wrong = await login(rest, "wrong")
    unknown = await login(rest, email="nobody@example.test")

    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert {**wrong.json(), "trace_id": ""} == {**unknown.json(), "trace_id": ""}


async def test_a_reload_in_the_middle_of_a_refresh_does_not_sign_out(
    rest: RestServer, ana: dict[str, Any]
) -> None:
    kept = (await login(rest)).json()["refresh_token"]

    async def refresh(token: str) -> httpx.Response:
        return await rest.client.post(REFRESH, json={"refresh_token": token})

    lost = await refresh(kept)
    again = await refresh(kept)

    assert (lost.status_code, again.status_code) == (200, 200)
    assert (await refresh(again.json()["refresh_token"])).status_code == 200
    # Should anybody come with the one that was lost, it was somebody else who kept it.
    assert (await refresh(lost.json()["refresh_token"])).status_code == 401
    assert (await refresh(again.json()["refresh_token"])).status_code == 401


async def test_a_refresh_token_is_good_for_one_use_and_reuse_ends_the_family(
    rest: RestServer, ana: dict[str, Any]
) -> None:
    stolen = (await login(rest)).json()["refresh_token"]
    other_device = (await login(rest)).json()["refresh_token"]

    async def refresh(token: str) -> httpx.Response:
        return await rest.client.post(REFRESH, json={"refresh_token": token})

    renewed = await refresh(stolen)
    newest = await refresh(renewed.json()["refresh_token"])
    reused = await refresh(stolen)
    of_the_family = await refresh(newest.json()["refresh_token"])
    of_another = await refresh(other_device)

    assert (renewed.status_code, newest.status_code) == (200, 200)
    assert renewed.json()["refresh_token"] != stolen
    assert (reused.status_code, reused.json()["code"]) == (401, "invalid_token")
    assert of_the_family.status_code == 401
    assert of_another.status_code == 200


async def test_logging_out_ends_the_session_and_may_be_repeated(
    rest: RestServer, ana: dict[str, Any]
) -> None:
    token = {"refresh_token": (await login(rest)).json()["refresh_token"]}

    first = await rest.client.post(LOGOUT, json=token)
    again = await rest.client.post(LOGOUT, json=token)
    unknown = await rest.client.post(LOGOUT, json={"refresh_token": "made up"})

    assert (first.status_code, again.status_code, unknown.status_code) == (204, 204, 204)
    assert (await rest.client.post(REFRESH, json=token)).status_code == 401


async def test_a_revoked_user_is_out_at_once_and_may_sign_in_again(
    rest: RestServer, admin: Person, ana: dict[str, Any]
) -> None:
    session = (await login(rest)).json()
    me = Person(rest.client, ana["id"], ana["organization_id"], session["access_token"])

    revoked = await admin.post(f"/users/{ana['id']}/revoke")

    after = await me.get("/conversations")
    refreshed = await rest.client.post(REFRESH, json={"refresh_token": session["refresh_token"]})
    assert revoked.status_code == 204
    assert (after.status_code, after.json()["code"]) == (401, "token_revoked")
    assert refreshed.status_code == 401
    again = (await login(rest)).json()
    me.token = again["access_token"]
    assert (await me.get("/conversations")).status_code == 200


async def test_one_token_may_be_revoked_by_its_id(rest: RestServer, admin: Person) -> None:
    bot = await rest.person("bot")
    claims = {"sub": bot.user_id, "role": "bot"}
    bad, good = rest.token(jti="bad", **claims), rest.token(jti="good", **claims)

    await admin.post(f"/users/{bot.user_id}/revoke", {"token_id": "bad"})

    for token, status in ((bad, 401), (good, 200)):
        bot.token = token
        assert (await bot.get("/conversations")).status_code == status


async def test_a_deactivated_user_can_neither_stay_nor_come_back(
    rest: RestServer, admin: Person, ana: dict[str, Any]
) -> None:
    session = (await login(rest)).json()
    me = Person(rest.client, ana["id"], ana["organization_id"], session["access_token"])

    await admin.patch(f"/users/{ana['id']}", {"active": False})
    await rest.rights.load()

    assert (await me.get("/conversations")).json()["code"] == "token_revoked"
    token = {"refresh_token": session["refresh_token"]}
    assert (await rest.client.post(REFRESH, json=token)).status_code == 401
    assert (await login(rest)).status_code == 401


async def test_a_new_role_holds_for_tokens_of_before(
    rest: RestServer, admin: Person, ana: dict[str, Any]
) -> None:
    token = (await login(rest)).json()["access_token"]
    me = Person(rest.client, ana["id"], ana["organization_id"], token)
    assert (await me.get("/audit")).status_code == 403

    await admin.patch(f"/users/{ana['id']}", {"role": "admin"})
    await rest.rights.load()

    assert (await me.get("/audit")).status_code == 200


async def test_an_admin_cannot_lock_itself_out(rest: RestServer, admin: Person) -> None:
    for change in ({"role": "agent"}, {"active": False}):
        answer = await admin.patch(f"/users/{admin.user_id}", change)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_what_happened_is_in_the_audit_log_without_secrets(
    rest: RestServer, admin: Person, ana: dict[str, Any]
) -> None:
    await login(rest, "wrong")
    session = (await login(rest)).json()
    conversation = await admin.opens_conversation()
    await admin.patch(f"/conversations/{conversation['id']}", {"assigned_to": ana["id"]})
    await admin.post(f"/users/{ana['id']}/revoke")

    first = (await admin.get("/audit", limit=2)).json()
    rest_of_it = (await admin.get("/audit", cursor=first["next_cursor"])).json()

    entries = first["items"] + rest_of_it["items"]
    assert [entry["action"] for entry in entries] == [
        "user.revoked",
        "conversation.assigned",
        "login.succeeded",
        "login.failed",
        "user.created",
    ]
    assert entries[1]["details"]["to"] == ana["id"]
    assert {entries[0]["actor"], entries[1]["actor"]} == {admin.user_id}
    for secret in (PASSWORD, session["access_token"], session["refresh_token"]):
        assert secret not in str(entries)


async def test_the_log_of_one_organization_is_not_shown_to_another(
    rest: RestServer, ana: dict[str, Any]
) -> None:
    elsewhere = await rest.person("admin", organization_id="6a1f0a3e-0000-4000-8000-0000000000ff")

    assert (await elsewhere.get("/audit")).json()["items"] == []
    assert [user["id"] for user in (await elsewhere.get("/users")).json()["items"]] == [
        elsewhere.user_id
    ]
    assert (await elsewhere.post(f"/users/{ana['id']}/revoke")).status_code == 404
    assert (await elsewhere.patch(f"/users/{ana['id']}", {"name": "x"})).status_code == 404


async def test_everybody_lists_colleagues_and_admins_alone_make_them(
    rest: RestServer, admin: Person, ana: dict[str, Any]
) -> None:
    agent = await rest.person(name="Bruno")
    new = {"email": "new@example.test", "name": "New", "role": "bot"}

    listed = (await agent.get("/users")).json()["items"]
    refused = await agent.post("/users", new)
    made = await admin.post("/users", new)
    taken = await admin.post("/users", new)

    assert {user["id"] for user in listed} == {agent.user_id, admin.user_id, ana["id"]}
    assert all("online" in user and "password" not in str(user) for user in listed)
    assert refused.status_code == 403
    assert made.status_code == 201
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")


async def test_an_access_token_of_a_number_is_never_given_back(admin: Person) -> None:
    number = {"name": "Sales", "phone_number_id": "1001", "access_token": "EAAsecret"}

    made = await admin.post("/channels", number)
    listed = await admin.get("/channels")

    assert made.status_code == 201
    assert [each["phone_number_id"] for each in listed.json()["items"]] == ["1001"]
    assert "EAAsecret" not in made.text + listed.text


async def test_logins_are_limited_by_address_and_account(tmp_path: Path) -> None:
    async with rest_server(tmp_path, login_rate_limit=(3, 3600.0)) as rest:
        answers = [await login(rest, "wrong") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 2
    refused = answers[-1]
    assert refused.json()["code"] == "rate_limited"
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["retry_after_ms"] <= 2 * 3600 * 1000


async def test_requests_are_limited_by_user_and_before_that_by_address(tmp_path: Path) -> None:
    async with rest_server(tmp_path, http_rate_limit=(5, 3600.0)) as rest:
        ana, bruno = await rest.person(), await rest.person()
        of_ana = [(await ana.get("/users")).status_code for _ in range(7)]
        of_bruno = (await bruno.get("/conversations")).status_code
        of_nobody = [(await rest.client.get("/api/v1/users")).status_code for _ in range(7)]
        health = [(await rest.client.get("/health")).status_code for _ in range(10)]

    assert of_ana == [200] * 5 + [429] * 2
    assert of_bruno == 200
    assert of_nobody == [401] * 5 + [429] * 2
    assert health == [200] * 10


async def test_an_organization_over_its_quota_is_refused_and_others_are_not(
    tmp_path: Path,
) -> None:
    async with rest_server(tmp_path, organization_rate_limit=(5, 3600.0)) as rest:
        ana, bruno = await rest.person(), await rest.person()
        elsewhere = await rest.person(organization_id="6a1f0a3e-0000-4000-8000-0000000000ff")
        ours = [
            (await person.get("/conversations")).status_code
            for person in (ana, bruno, ana, bruno, ana, bruno, ana)
        ]
        refused = await ana.get("/conversations")
        theirs = (await elsewhere.get("/conversations")).status_code

    assert ours == [200] * 5 + [429] * 2
    assert theirs == 200
    assert refused.json()["code"] == "rate_limited"
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("proxies", "expected"),
    [(("127.0.0.0/8",), [401, 401, 401, 401]), ((), [401, 401, 429, 429])],
    ids=["from a trusted proxy", "from anybody"],
)
async def test_forwarded_addresses_count_from_a_trusted_proxy_alone(
    tmp_path: Path, proxies: tuple[str, ...], expected: list[int]
) -> None:
    async with rest_server(tmp_path, http_rate_limit=(2, 3600.0), trusted_proxies=proxies) as rest:
        answers = [
            await rest.client.get(
                "/api/v1/users", headers={"X-Forwarded-For": f"198.51.100.{number}"}
            )
            for number in range(4)
        ]

    assert [answer.status_code for answer in answers] == expected


async def test_where_another_provider_signs_people_in_login_says_so(tmp_path: Path) -> None:
    settings = {"jwt_algorithms": ("RS256",), "jwt_jwks_url": "http://127.0.0.1:9/jwks"}
    async with rest_server(tmp_path, **settings) as rest:
        answer = await login(rest)

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_hash_made_by_the_command_line_is_good_for_a_login(rest: RestServer) -> None:
    passwords = Argon2Passwords()
    organization_id = await rest.store.users.create_organization("Acme")
    await rest.store.users.create_user(
        organization_id,
        email="first@example.test",
        name="First",
        role=Role.ADMIN,
        password_hash=await passwords.hash(PASSWORD),
    )
    passwords.close()

    assert (await login(rest, email=" First@Example.test ")).status_code == 200
