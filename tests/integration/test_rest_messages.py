"""Messages over REST: writing, retrying, paging, catching up."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from cluster.waiting import eventually
from rest.server import Person, RestServer, rest_server

pytestmark = pytest.mark.integration


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[RestServer]:
    async with rest_server(tmp_path) as server:
        yield server


@pytest.fixture
async def ana(rest: RestServer) -> Person:
    return await rest.person(name="Ana")


async def test_a_message_is_stored_and_announced_with_the_same_body(
    rest: RestServer, ana: Person
) -> None:
    conversation = await ana.opens_conversation()

    answer = await ana.writes(conversation["id"], "olá")

    assert answer.status_code == 201
    message = answer.json()
    assert message["content"] == {"text": "olá"}
    assert (message["direction"], message["sender_type"]) == ("outbound", "agent")
    assert (message["status"], message["sender_id"]) == ("pending", ana.user_id)
    event = rest.heard.events[-1]
    assert event.name == "message:new"
    assert orjson.loads(event.data) == message

    def row_shows_it() -> bool:
        _, name, data = rest.heard.notices[-1]
        return name == "inbox:updated" and data["conversation"]["last_message"] == message

    # The row was sent a moment ago, when the conversation was opened: this change waits a little.
    await eventually(row_shows_it, "the row shows the message")


async def test_bots_write_as_bots(rest: RestServer, ana: Person) -> None:
    conversation = await ana.opens_conversation()
    bot = await rest.person("bot")

    message = (await bot.writes(conversation["id"], "beep")).json()

    assert message["sender_type"] == "bot"


async def test_a_retry_gives_the_same_message_and_other_content_is_a_conflict(
    rest: RestServer, ana: Person
) -> None:
    conversation = await ana.opens_conversation()
    first = await ana.writes(conversation["id"], "once", client_message_id="c1")
    announced = len(rest.heard.events)

    again = await ana.writes(conversation["id"], "once", client_message_id="c1")
    other = await ana.writes(conversation["id"], "twice", client_message_id="c1")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len(rest.heard.events) == announced
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_twenty_retries_at_once_store_one_message(ana: Person) -> None:
    conversation = await ana.opens_conversation()

    answers = await asyncio.gather(
        *(ana.writes(conversation["id"], "once", client_message_id="c1") for _ in range(20))
    )

    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_who_has_not_seen_the_newest_message_is_told_what_is_missing(
    rest: RestServer, ana: Person
) -> None:
    conversation = await ana.opens_conversation()
    seen = conversation["last_seq"]
    bruno = await rest.person(name="Bruno")
    news = (await bruno.writes(conversation["id"], "I have answered")).json()

    stale = await ana.writes(conversation["id"], "hello?", based_on_seq=seen)
    fresh = await ana.writes(conversation["id"], "thanks", based_on_seq=news["seq"])

    assert (stale.status_code, stale.json()["code"]) == (409, "stale_view")
    assert [item["data"]["id"] for item in stale.json()["missing"]] == [news["id"]]
    assert fresh.status_code == 201


async def test_the_seeds_path_takes_the_conversation_in_the_body(ana: Person) -> None:
    conversation = await ana.opens_conversation()

    answer = await ana.post(
        "/messages", {"conversation_id": conversation["id"], "content": {"text": "hi"}}
    )

    assert answer.status_code == 201
    assert answer.json()["conversation_id"] == conversation["id"]


async def test_pages_of_messages_are_in_order_and_complete(ana: Person) -> None:
    conversation = await ana.opens_conversation()
    for number in range(7):
        await ana.writes(conversation["id"], str(number))

    shown: list[str] = []
    before = None
    while True:
        params = {"limit": 3} | ({} if before is None else {"before_seq": before})
        answer = (await ana.get(f"/conversations/{conversation['id']}/messages", **params)).json()
        page = [item["content"]["text"] for item in answer["items"]]
        assert [item["seq"] for item in answer["items"]] == sorted(
            item["seq"] for item in answer["items"]
        )
        shown = page + shown
        before = answer["next_cursor"]
        if before is None:
            break

    assert shown == [str(number) for number in range(7)]


async def test_the_log_is_given_whole_with_data_as_on_the_socket(
    rest: RestServer, ana: Person
) -> None:
    conversation = await ana.opens_conversation()
    for number in range(5):
        await ana.writes(conversation["id"], str(number))
    path = f"/conversations/{conversation['id']}/events"

    first = (await ana.get(path, after_seq=0, limit=3)).json()
    second = (await ana.get(path, after_seq=first["next_cursor"], limit=100)).json()

    items = first["items"] + second["items"]
    assert [item["seq"] for item in items] == list(range(1, len(items) + 1))
    assert second["next_cursor"] is None
    published = {event.seq: orjson.loads(event.data) for event in rest.heard.events}
    assert {item["seq"]: item["data"] for item in items} == published
    assert all(item["data"]["seq"] == item["seq"] for item in items)


async def test_retry_of_must_name_a_message_of_the_conversation(ana: Person) -> None:
    here = await ana.opens_conversation("+5511900000001")
    there = await ana.opens_conversation("+5511900000002")
    elsewhere = (await ana.writes(there["id"], "elsewhere")).json()
    failed = (await ana.writes(here["id"], "lost")).json()

    again = await ana.writes(here["id"], "lost", retry_of=failed["id"])
    wrong = await ana.writes(here["id"], "lost", retry_of=elsewhere["id"])
    unknown = await ana.writes(here["id"], "lost", retry_of=str(uuid4()))

    assert again.json()["retry_of"] == failed["id"]
    assert (wrong.status_code, unknown.status_code) == (404, 404)


async def test_on_a_channel_only_templates_go_out_before_the_customer_has_written(
    rest: RestServer, ana: Person
) -> None:
    admin = await rest.person("admin")
    number = {"name": "Sales", "phone_number_id": "1001", "access_token": "EAAx"}
    channel = (await admin.post("/channels", number)).json()
    conversation = await ana.opens_conversation()
    assert conversation["channel_id"] == channel["id"]
    assert conversation["window_expires_at"] is None

    text = await ana.writes(conversation["id"], "hello")
    template = await ana.post(
        f"/conversations/{conversation['id']}/messages",
        {"message_type": "template", "content": {"name": "hello", "language": "pt_BR"}},
    )

    assert (text.status_code, text.json()["code"]) == (422, "window_closed")
    assert template.status_code == 201


async def test_one_subject_may_work_in_several_organizations(rest: RestServer) -> None:
    """Another provider's user: the same `sub`, with a token for each organization."""
    for organization_id in (str(uuid4()), str(uuid4())):
        token = rest.token(sub="auth0|77", organization_id=organization_id)
        person = Person(rest.client, "auth0|77", organization_id, token)
        conversation = await person.opens_conversation()

        assert (await person.writes(conversation["id"], "olá")).status_code == 201
