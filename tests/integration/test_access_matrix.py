"""Every route of the REST API, tried by everybody who must not get in.

The routes come from the OpenAPI document: one that is added is tried from then on, and a
parameter that the matrix does not know fails it.
"""

import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
import pytest_asyncio

from attackers import forged
from attackers.forged import (
    AUDIENCE,
    ISSUER,
    PRIVATE,
    PUBLIC,
    TOKENS,
    Claims,
    expected_code,
    key_server,
    public_jwk,
)
from rest.server import SECRET, Person, RestServer, listening, rest_server

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

OF_ADMINS = ("{user_id}", "{contact_id}", "{channel_id}")
SIGNING_IN = {"/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/logout"}

Bodies = dict[str, Any]
BODIES: Bodies = {
    "POST /api/v1/conversations": {"contact": {"name": "Rui", "phone": "+5511900000077"}},
    "PATCH /api/v1/conversations/{conversation_id}": {"status": "closed"},
    "POST /api/v1/conversations/{conversation_id}/read": {"seq": 1},
    "POST /api/v1/conversations/{conversation_id}/messages": {"content": {"text": "in!"}},
    "POST /api/v1/messages": {"content": {"text": "in!"}},
    "POST /api/v1/conversations/{conversation_id}/notes": {"text": "in!"},
    "POST /api/v1/canned-replies": {"shortcut": "in", "text": "in!"},
    "PATCH /api/v1/canned-replies/{canned_reply_id}": {"text": "in!"},
    "POST /api/v1/users": {"email": "mallory@example.test", "name": "M", "role": "admin"},
    "PATCH /api/v1/users/{user_id}": {"role": "admin"},
    "POST /api/v1/channels": {"name": "M", "phone_number_id": "1", "access_token": "x"},
    "PATCH /api/v1/channels/{channel_id}": {"name": "M", "sends_typing": True},
}


@dataclass(frozen=True)
class Route:
    method: str
    path: str

    def filled(self, ids: dict[str, str]) -> str:
        return self.path.format(**ids)

    def body(self, ids: dict[str, str]) -> Any:
        body: Any = BODIES.get(f"{self.method} {self.path}")
        if self.path == "/api/v1/messages":
            return {**body, "conversation_id": ids["conversation_id"]}
        return body


def routes_of(rest: RestServer) -> list[Route]:
    found = [
        Route(method.upper(), path)
        for path, operations in rest.document["paths"].items()
        for method in operations
        if path not in SIGNING_IN
    ]
    assert len(found) >= 18
    return found


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rest(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RestServer]:
    provider = key_server([public_jwk(PUBLIC, "RS256", "k1")])
    async with (
        listening(provider) as keys,
        rest_server(
            tmp_path_factory.mktemp("matrix"),
            jwt_algorithms=("HS256", "RS256"),
            jwt_jwks_url=f"{keys}/jwks.json",
            jwt_issuer=ISSUER,
            jwt_audience=AUDIENCE,
        ) as server,
    ):
        server.claims = {"iss": ISSUER, "aud": AUDIENCE}
        yield server


@dataclass
class Prey:
    """What the attackers are after: things of an organization that is not theirs."""

    ana: Person
    admin: Person
    ids: dict[str, str]

    def is_seen_in(self, answer: httpx.Response) -> bool:
        return any(each in answer.text for each in self.ids.values())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def prey(rest: RestServer) -> Prey:
    ana, admin = await rest.person(name="Ana"), await rest.person("admin")
    conversation = await ana.opens_conversation()
    await ana.writes(conversation["id"], "a secret")
    taken = await ana.patch(f"/conversations/{conversation['id']}", {"assigned_to": ana.user_id})
    assert taken.status_code == 200
    file = (await ana.call("POST", "/media", files={"file": ("a.txt", b"a secret")})).json()
    note = await ana.post(f"/conversations/{conversation['id']}/notes", {"text": "a secret"})
    reply = await ana.post("/canned-replies", {"shortcut": "oi", "text": "a secret"})
    await ana.patch(f"/conversations/{conversation['id']}", {"add_labels": ["a secret"]})
    number = {"name": "Number", "phone_number_id": str(uuid4()), "access_token": "a secret"}
    channel = (await admin.post("/channels", number)).json()
    ids = {
        "conversation_id": conversation["id"],
        "note_id": note.json()["id"],
        "canned_reply_id": reply.json()["id"],
        "user_id": ana.user_id,
        "contact_id": conversation["contact"]["id"],
        "media_id": file["id"],
        "channel_id": channel["id"],
    }
    return Prey(ana, admin, ids)


def good_claims(prey: Prey) -> Claims:
    """What would let the attacker in as an admin, were it signed as it should be."""
    return forged.good_claims(prey.admin.user_id, prey.admin.organization_id)


async def test_the_claims_of_the_matrix_would_be_good_if_signed(
    rest: RestServer, prey: Prey
) -> None:
    for token in (
        jwt.encode(good_claims(prey), SECRET),
        jwt.encode(good_claims(prey), PRIVATE, "RS256", headers={"kid": "k1"}),
    ):
        someone = Person(rest.client, prey.admin.user_id, prey.admin.organization_id, token)
        assert (await someone.get("/users")).status_code == 200


@pytest.mark.parametrize("kind", TOKENS)
async def test_no_route_lets_a_bad_token_in(rest: RestServer, prey: Prey, kind: str) -> None:
    token = TOKENS[kind](good_claims(prey))
    code = expected_code(kind)

    for route in routes_of(rest):
        answer = await rest.client.request(
            route.method,
            route.filled(prey.ids),
            json=route.body(prey.ids),
            headers={"Authorization": f"Bearer {token}".strip()},
        )
        assert (answer.status_code, answer.json()["code"]) == (401, code), route
        assert not prey.is_seen_in(answer)
        assert token == "" or token not in answer.text


async def test_no_route_lets_nobody_in_nor_reads_tokens_from_elsewhere(
    rest: RestServer, prey: Prey
) -> None:
    token = prey.admin.token
    attempts: list[dict[str, Any]] = [
        {},
        {"params": {"token": token}},
        {"params": {"access_token": token}},
        {"cookies": {"token": token, "access_token": token}},
        {"headers": {"Authorization": f"Basic {token}"}},
        {"headers": {"Authorization": token}},
        {"headers": {"X-Access-Token": token}},
    ]

    for route in routes_of(rest):
        for attempt in attempts:
            cookies = attempt.get("cookies", {})
            given = {name: value for name, value in attempt.items() if name != "cookies"}
            if cookies:
                pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
                given["headers"] = {"Cookie": pairs}
            answer = await rest.client.request(
                route.method, route.filled(prey.ids), json=route.body(prey.ids), **given
            )
            assert answer.status_code == 401, (route, attempt)
            assert not prey.is_seen_in(answer)


async def test_no_route_lets_a_revoked_user_in(rest: RestServer, prey: Prey) -> None:
    mallory = await rest.person("admin")
    assert (await prey.admin.post(f"/users/{mallory.user_id}/revoke")).status_code == 204

    for route in routes_of(rest):
        path = route.filled(prey.ids).removeprefix("/api/v1")
        answer = await mallory.call(route.method, path, json=route.body(prey.ids))
        assert (answer.status_code, answer.json()["code"]) == (401, "token_revoked"), route


@pytest.mark.parametrize("role", ["admin", "agent", "bot"])
async def test_another_organization_finds_nothing_and_cannot_tell_it_from_what_is_not_there(
    rest: RestServer, prey: Prey, role: str
) -> None:
    stranger = await rest.person(role, organization_id=str(uuid4()))
    missing = {name: str(uuid4()) for name in prey.ids}

    for route in routes_of(rest):
        answers = [
            await stranger.call(
                route.method,
                route.filled(ids).removeprefix("/api/v1"),
                json=route.body(ids),
            )
            for ids in (prey.ids, missing)
        ]
        has_id = "{" in route.path or route.path == "/api/v1/messages"
        if has_id:
            of_admins = any(each in route.path for each in OF_ADMINS)
            allowed = {404} if role == "admin" or not of_admins else {403}
            assert {answer.status_code for answer in answers} == allowed, route
            first, second = ({**answer.json(), "trace_id": ""} for answer in answers)
            assert first == second
        for answer in answers:
            assert not prey.is_seen_in(answer), route


async def test_an_agent_who_is_not_assigned_finds_nothing(rest: RestServer, prey: Prey) -> None:
    bruno = await rest.person()
    conversation_id = prey.ids["conversation_id"]
    admin_only = {
        "/api/v1/audit",
        "/api/v1/quarantine",
        "/api/v1/channels",
        "/api/v1/channels/news",
    }

    for route in routes_of(rest):
        path = route.filled(prey.ids).removeprefix("/api/v1")
        answer = await bruno.call(route.method, path, json=route.body(prey.ids))
        if "{conversation_id}" in route.path or route.path == "/api/v1/messages":
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), route
        of_admins = any(each in route.path for each in OF_ADMINS)
        if of_admins or route.path in admin_only:
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), route
        assert conversation_id not in answer.text, route
    assert (await bruno.post("/users", BODIES["POST /api/v1/users"])).status_code == 403


async def test_nothing_was_changed_by_any_of_them(rest: RestServer, prey: Prey) -> None:
    stranger = await rest.person("admin", organization_id=str(uuid4()))
    before = (await prey.ana.get(f"/conversations/{prey.ids['conversation_id']}")).json()
    people = (await prey.admin.get("/users")).json()["items"]

    for route in routes_of(rest):
        path = route.filled(prey.ids).removeprefix("/api/v1")
        await stranger.call(route.method, path, json=route.body(prey.ids))

    after = (await prey.ana.get(f"/conversations/{prey.ids['conversation_id']}")).json()
    assert after == before
    assert (await prey.admin.get("/users")).json()["items"] == people


async def test_foreign_and_missing_take_the_same_time(rest: RestServer, prey: Prey) -> None:
    """Interleaved, so that a busy machine slows both; medians, so that a pause decides nothing."""
    stranger = await rest.person("agent")
    paths = {
        "foreign": f"/conversations/{prey.ids['conversation_id']}",
        "missing": f"/conversations/{uuid4()}",
    }
    seconds: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(60):
        for name, path in paths.items():
            began = time.perf_counter()
            assert (await stranger.get(path)).status_code == 404
            seconds[name].append(time.perf_counter() - began)

    foreign, missing = (statistics.median(seconds[name]) for name in ("foreign", "missing"))
    noise = statistics.median(abs(each - missing) for each in seconds["missing"])
    assert abs(foreign - missing) < max(4 * noise, 0.002)
