"""Every event of the socket, tried by everybody who must not get in, on both transports.

The events come from the contract: one that is added is tried from then on, and one whose
payload the matrix does not know fails it. The REST half is tests/integration/test_access_matrix.py.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import jwt
import pytest

from attackers.forged import (
    AUDIENCE,
    ISSUER,
    PRIVATE,
    PUBLIC,
    TOKENS,
    expected_code,
    good_claims,
    key_server,
    public_jwk,
)
from attackers.raw_socket import KINDS, RawSocket
from cluster.waiting import eventually
from integration.gateway.pods import ORGANIZATION, Cluster, Pod, user_id
from pytake.contract.client_events import CLIENT_EVENTS
from pytake.domain.ids import ConversationId
from pytake.gateway.pod import Options
from pytake.tokens.jwks import JwksKeys
from pytake.tokens.verifier import JwtVerifier, TokenRules
from rest.server import SECRET, listening

pytestmark = pytest.mark.integration

PAYLOADS: dict[str, Callable[[str], dict[str, Any]]] = {
    "join_conversation": lambda c: {"conversation_id": c, "last_seq": 0},
    "join_conversations": lambda c: {"conversations": [{"conversation_id": c, "last_seq": 0}]},
    "leave_conversation": lambda c: {"conversation_id": c},
    "typing_start": lambda c: {"conversation_id": c},
    "typing_stop": lambda c: {"conversation_id": c},
    "mark_read": lambda c: {"conversation_id": c, "seq": 1},
    "message:receipt": lambda c: {"items": [{"conversation_id": c, "seq": 1}], "t": 1},
    "auth:refresh": lambda c: {"token": jwt.encode({"sub": c}, "x" * 32)},
    "ping": lambda c: {"t": c},
}
SECRET_TEXT = "a secret between Ana and her customer"


def test_the_matrix_knows_a_payload_for_every_event() -> None:
    assert set(PAYLOADS) == set(CLIENT_EVENTS)


def packet(event: str, conversation_id: str, number: int) -> str:
    return f"2{number}" + json.dumps([event, PAYLOADS[event](conversation_id)])


def all_events(conversation_id: str) -> list[str]:
    return [packet(event, conversation_id, n) for n, event in enumerate(CLIENT_EVENTS)]


def connect_packet(token: str) -> str:
    return "0" + json.dumps({"token": token})


@dataclass
class Prey:
    """A conversation that is Ana's alone, and Ana, who sits in it."""

    pod: Pod
    conversation_id: ConversationId
    ana: Any
    cluster: Cluster

    def forgive(self) -> None:
        """Forget the failures of this address: the matrix fails more than thirty times a minute."""
        self.pod.gateway.admission._failed.clear()

    async def is_undisturbed(self) -> None:
        """Ana heard of nobody, nothing was read, and nobody else is known to the pod."""
        assert (await self.ana.call("ping"))["ok"]
        assert not self.ana.all("user_typing", "conversation:read", "error")
        assert all(update["count"] == 1 for update in self.ana.all("presence:update"))
        await eventually(lambda: len(self.pod.gateway.registry) == 1, "nobody but Ana is connected")


@pytest.fixture(params=[True, False], ids=["direct", "stock"])
async def prey(
    request: pytest.FixtureRequest, cluster: Cluster, connect: Any
) -> AsyncIterator[Prey]:
    """A pod whose tokens come from us and from a provider; a conversation of Ana's."""
    async with listening(key_server([public_jwk(PUBLIC, "RS256", "k1")])) as provider:
        keys = JwksKeys(f"{provider}/jwks.json")
        rules = TokenRules(("HS256", "RS256"), (SECRET,), issuer=ISSUER, audience=AUDIENCE)
        cluster.verify = JwtVerifier(rules, public_keys=keys, rights=cluster.rights)
        pod = await cluster.pod(Options(direct=request.param))
        conversation = await cluster.conversation()
        await cluster.assign(conversation, "ana")
        await cluster.write(conversation, SECRET_TEXT)
        ana = await connect(pod, token=good_token("ana", "agent"))
        await ana.join(conversation)
        yield Prey(pod, conversation, ana, cluster)
        await ana.close()
        await keys.close()


def good_token(user: str, role: str = "admin", organization: str = ORGANIZATION) -> str:
    return jwt.encode(good_claims(user_id(user), organization, role), SECRET)


Open = Callable[..., Awaitable[RawSocket]]


@pytest.fixture
async def raw() -> AsyncIterator[Open]:
    """Open a raw connection of one kind; closed at the end."""
    async with aiohttp.ClientSession() as http:
        opened: list[RawSocket] = []

        async def open_one(kind: str, url: str, query: str = "") -> RawSocket:
            socket = KINDS[kind](http, url, query)
            await socket.open()
            opened.append(socket)
            return socket

        yield open_one
        for socket in opened:
            await socket.close()


async def test_the_tokens_of_the_matrix_would_be_good_if_signed(prey: Prey, raw: Open) -> None:
    claims = good_claims(user_id("root"), ORGANIZATION)
    for token in (
        jwt.encode(claims, SECRET),
        jwt.encode(claims, PRIVATE, "RS256", headers={"kid": "k1"}),
    ):
        for kind in KINDS:
            socket = await raw(kind, prey.pod.url)
            await socket.send(connect_packet(token))
            await socket.until(1, '2["connected"')
            await socket.send(packet("join_conversation", prey.conversation_id, 7))
            assert (await socket.answer(7))["ok"]
            await socket.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_bad_token_gets_in_nowhere_and_its_events_are_nobodys(
    prey: Prey, raw: Open, kind: str
) -> None:
    """Refused, it goes on sending on the same connection: every event, and again the token."""
    claims = good_claims(user_id("root"), ORGANIZATION)
    for name, forge in TOKENS.items():
        token = forge(claims)
        socket = await raw(kind, prey.pod.url)
        prey.forgive()

        await socket.send(connect_packet(token))
        await socket.until(1, "4")
        await socket.send(*all_events(prey.conversation_id))
        # Events of a connection are handled in order: a second refusal follows all of them.
        await socket.send(connect_packet(token))
        answers = await socket.until(2, "4")

        for answer in answers:
            assert answer.startswith("4"), (name, answer)
            refusal = json.loads(answer[1:])
            assert refusal["data"]["code"] == expected_code(name), name
            assert isinstance(refusal["data"]["retryable"], bool)
            assert token == "" or token not in answer
        assert len(answers) == 2 or socket.is_closed, (name, answers)
        await socket.close()
    await prey.is_undisturbed()


@pytest.mark.parametrize("kind", KINDS)
async def test_who_shows_no_token_in_the_handshake_is_nobody_wherever_else_it_is(
    prey: Prey, kind: str
) -> None:
    token = good_token("root")
    places: list[dict[str, Any]] = [
        {"query": f"&token={token}&access_token={token}&auth={token}"},
        {"headers": {"Authorization": f"Bearer {token}"}},
        {"headers": {"Cookie": f"token={token}; access_token={token}"}},
    ]
    packets = ["0", "0{}", '0{"token":null}', '0{"token":{}}', '0{"auth":{"token":"x"}}']
    for place in places:
        for first in packets:
            headers = place.get("headers", {})
            prey.forgive()
            async with aiohttp.ClientSession(headers=headers) as http:
                socket = KINDS[kind](http, prey.pod.url, place.get("query", ""))
                await socket.open()
                await socket.send(first, *all_events(prey.conversation_id), first)
                answers = await socket.until(2, "4")

                codes = [json.loads(answer[1:])["data"]["code"] for answer in answers]
                assert codes == ["invalid_token"] * 2, (place, first, answers)
                await socket.close()
    await prey.is_undisturbed()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("namespace", ["", "/admin,"])
async def test_events_before_the_handshake_and_in_other_namespaces_are_nobodys(
    prey: Prey, raw: Open, kind: str, namespace: str
) -> None:
    socket = await raw(kind, prey.pod.url)
    if namespace:
        await socket.send("0" + namespace + json.dumps({"token": good_token("root")}))
        await socket.until(1, "4")
    events = [f"2{namespace}{each[1:]}" for each in all_events(prey.conversation_id)]

    await socket.send(*events, connect_packet("no token"))
    answers = await socket.until(1, "4{")

    assert all(answer.startswith("4") for answer in answers), answers
    assert SECRET_TEXT not in "".join(answers)
    await socket.close()
    await prey.is_undisturbed()


async def test_a_bad_token_refreshes_nothing_and_the_connection_goes_on(
    prey: Prey, raw: Open
) -> None:
    """What is refused changes neither the expiry, nor the role, nor the rooms."""
    claims = good_claims(user_id("ana"), ORGANIZATION, "admin")
    expires_at = prey.ana.all("connected")[0]["expires_at"]
    forged = {
        name: forge({**claims, "exp": claims["exp"] + 9000}) for name, forge in TOKENS.items()
    }
    forged.pop("expired")
    tokens = forged | {
        "expired": TOKENS["expired"](claims),
        "another user": good_token("bruno"),
        "another organization": good_token("ana", organization=str(uuid4())),
    }
    for name, token in tokens.items():
        answer = await prey.ana.call("auth:refresh", {"token": token})

        assert answer["ok"] is False, name
        allowed = {expected_code(name)} if token else {"invalid_payload"}
        assert answer["error"]["code"] in allowed, name
        assert token == "" or token not in json.dumps(answer)

    [connection] = prey.pod.gateway.registry.of_user(user_id("ana"))
    assert connection.principal.role.value == "agent"
    assert connection.principal.expires_at.isoformat()[:19] == expires_at[:19]
    await prey.cluster.write(prey.conversation_id, "still here")
    assert (await prey.ana.next("message:new"))["content"]["text"] == "still here"


STRANGERS = {
    "another organization's admin": ("eve", "admin", str(uuid4())),
    "another organization's agent": ("eve", "agent", str(uuid4())),
    "another organization's bot": ("eve", "bot", str(uuid4())),
    "an agent who is not assigned": ("bruno", "agent", ORGANIZATION),
    "Ana's own id in another organization": ("ana", "admin", str(uuid4())),
}


@pytest.mark.parametrize("who", STRANGERS)
async def test_a_foreign_conversation_answers_every_event_like_one_that_is_missing(
    prey: Prey, raw: Open, who: str
) -> None:
    name, role, organization = STRANGERS[who]
    missing = str(uuid4())
    socket = await raw("websocket", prey.pod.url)
    await socket.send(connect_packet(good_token(name, role, organization)))
    await socket.until(1, '2["connected"')

    for number, event in enumerate(CLIENT_EVENTS):
        answers = []
        for which, conversation_id in enumerate((prey.conversation_id, missing)):
            ack = 100 * (which + 1) + number
            await socket.send(packet(event, conversation_id, ack))
            answers.append(anonymous(await socket.answer(ack), conversation_id))

        assert answers[0] == answers[1], event
        if event in ("join_conversation", "mark_read"):
            assert answers[0]["error"]["code"] == "not_found"
        if event.startswith("typing"):
            assert answers[0]["error"]["code"] == "not_joined"

    assert SECRET_TEXT not in "".join(socket.packets)
    await prey.cluster.write(prey.conversation_id, SECRET_TEXT)
    await prey.ana.next("message:new")
    await socket.send(packet("ping", missing, 999))
    await socket.answer(999)
    assert not [each for each in socket.packets if "message:new" in each]
    assert not [each for each in socket.packets if "presence" in each or "inbox" in each]
    await socket.close()
    await prey.is_undisturbed()


def anonymous(answer: Any, conversation_id: str) -> Any:
    """Blank out what the client itself sent, and what differs by time alone."""
    text = json.dumps(answer).replace(conversation_id, "…")
    return {key: value for key, value in json.loads(text).items() if key != "timestamp"}


async def test_foreign_and_missing_take_the_same_time(prey: Prey, raw: Open) -> None:
    """Interleaved, so that a busy machine slows both; medians, so that a pause decides nothing."""
    socket = await raw("websocket", prey.pod.url)
    await socket.send(connect_packet(good_token("eve", organization=str(uuid4()))))
    await socket.until(1, '2["connected"')
    seconds: dict[str, list[float]] = {"foreign": [], "missing": []}
    for number in range(60):
        for name, conversation_id in (
            ("foreign", prey.conversation_id),
            ("missing", str(uuid4())),
        ):
            ack = number * 2 + (name == "missing")
            began = time.perf_counter()
            await socket.send(packet("join_conversation", conversation_id, ack))
            await socket.answer(ack)
            seconds[name].append(time.perf_counter() - began)
            socket.packets.clear()
        if number == 40:
            # The pod closes who is refused a hundred times in a minute.
            await socket.close()
            socket = await raw("websocket", prey.pod.url)
            await socket.send(connect_packet(good_token("eve", organization=str(uuid4()))))
            await socket.until(1, '2["connected"')

    foreign, missing = (statistics.median(seconds[name]) for name in ("foreign", "missing"))
    noise = statistics.median(abs(each - missing) for each in seconds["missing"])
    assert abs(foreign - missing) < max(4 * noise, 0.002)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_revoked_user_is_closed_in_the_middle_and_its_next_events_are_nobodys(
    prey: Prey, raw: Open, kind: str
) -> None:
    await prey.cluster.make_user("root")
    claims = good_claims(user_id("root"), ORGANIZATION, "admin") | {"iat": 1}
    token = jwt.encode(claims, SECRET)
    socket = await raw(kind, prey.pod.url)
    await socket.send(connect_packet(token))
    await socket.until(1, '2["connected"')
    await socket.send(packet("join_conversation", prey.conversation_id, 7))
    assert (await socket.answer(7))["ok"]
    await socket.until(1, '2["message:new"')
    before = len(prey.ana.all("presence:update"))

    await prey.cluster.store.rights.revoke(ORGANIZATION, user_id("root"), None)
    await prey.cluster.rights.load()
    already = len(socket.packets)
    await socket.send(*all_events(prey.conversation_id))
    await prey.cluster.write(prey.conversation_id, SECRET_TEXT)
    await socket.until(1, "1")
    late = socket.packets[already:]

    assert any('"token_revoked"' in each for each in late)
    assert not [each for each in late if each.startswith("3")], "no event was answered"
    assert SECRET_TEXT not in "".join(late)
    again = await raw(kind, prey.pod.url)
    await again.send(connect_packet(token))
    [refusal] = await again.until(1, "4")
    assert json.loads(refusal[1:])["data"]["code"] == "token_revoked"
    await again.close()
    await eventually(lambda: len(prey.pod.gateway.registry) == 1, "only Ana is left")
    assert not prey.ana.all("user_typing", "conversation:read")
    assert len(prey.ana.all("presence:update")) >= before
