"""Conversations over REST: who sees which, who may assign them, what they have read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from pytake.application.ports import InboundMessage
from pytake.contract.rooms import list_rooms, member_room
from pytake.domain.conversation import Conversation
from pytake.domain.ids import ChannelId, OrganizationId
from pytake.domain.message import MessageType
from pytake.processes.clock import utc_now
from rest.server import RestServer, rest_server

pytestmark = pytest.mark.integration


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[RestServer]:
    async with rest_server(tmp_path) as server:
        yield server


async def a_customer_writes(rest: RestServer) -> Conversation:
    admin = await rest.person("admin")
    number = {"name": "Sales", "phone_number_id": "1001", "access_token": "EAAx"}
    channel = (await admin.post("/channels", number)).json()
    committed = await rest.store.conversations.receive_message(
        InboundMessage(
            organization_id=OrganizationId(rest.organization_id),
            channel_id=ChannelId(channel["id"]),
            identifiers=(("phone", "5511988887777"),),
            profile_name="Clara",
            whatsapp_message_id="wamid.1",
            message_type=MessageType.TEXT,
            content={"text": "oi"},
            sent_at=utc_now(),
        )
    )
    return committed.conversation


async def test_opening_twice_finds_the_same_conversation(rest: RestServer) -> None:
    ana = await rest.person()
    first = await ana.opens_conversation("+5511987654321")

    again = await ana.post("/conversations", {"contact": {"name": "Rui", "phone": "5511987654321"}})

    assert again.status_code == 200
    assert again.json()["id"] == first["id"]


async def test_opening_a_colleagues_conversation_changes_nothing(rest: RestServer) -> None:
    ana, bruno = await rest.person(), await rest.person()
    first = await ana.opens_conversation("+5511987654321")
    path = f"/conversations/{first['id']}"
    await ana.patch(path, {"assigned_to": ana.user_id, "status": "closed"})
    before = (await ana.get(path)).json()

    refused = await bruno.post(
        "/conversations", {"contact": {"name": "Rui", "phone": "+5511987654321"}}
    )

    assert refused.status_code == 404
    assert (await ana.get(path)).json() == before


async def test_a_change_answers_with_the_readers_own_unread_count(rest: RestServer) -> None:
    ana, bruno = await rest.person(), await rest.person()
    conversation = await a_customer_writes(rest)
    path = f"/conversations/{conversation.id}"
    await ana.post(f"{path}/read", {"seq": conversation.last_seq})

    changed = await bruno.patch(path, {"add_labels": ["vip"]})
    read = await ana.patch(path, {"status": "closed"})

    assert changed.json()["unread_count"] == 1
    assert read.json()["unread_count"] == 0


async def test_an_agent_sees_its_own_and_unassigned_conversations_alone(rest: RestServer) -> None:
    ana, bruno = await rest.person(), await rest.person()
    admin, bot = await rest.person("admin"), await rest.person("bot")
    mine = await ana.opens_conversation("+5511900000001")
    free = await ana.opens_conversation("+5511900000002")
    path = f"/conversations/{mine['id']}"
    assert (await ana.patch(path, {"assigned_to": ana.user_id})).status_code == 200

    seen = {
        person.user_id: {
            item["id"] for item in (await person.get("/conversations")).json()["items"]
        }
        for person in (ana, bruno, admin, bot)
    }

    assert seen[bruno.user_id] == {free["id"]}
    assert seen[ana.user_id] == seen[admin.user_id] == seen[bot.user_id] == {mine["id"], free["id"]}
    assert (await bruno.get(path)).status_code == 404
    assert (await bot.get(path)).status_code == 200


async def test_what_one_may_not_see_answers_exactly_as_what_does_not_exist(
    rest: RestServer,
) -> None:
    ana, bruno = await rest.person(), await rest.person()
    stranger = await rest.person(organization_id=str(uuid4()))
    conversation = await ana.opens_conversation()
    await ana.patch(f"/conversations/{conversation['id']}", {"assigned_to": ana.user_id})
    text = {"content": {"text": "x"}}
    acts = [
        ("GET", "", None),
        ("PATCH", "", {"status": "closed"}),
        ("GET", "/messages", None),
        ("POST", "/messages", text),
        ("GET", "/events", None),
        ("POST", "/read", {"seq": 1}),
    ]

    for method, rest_of_path, body in acts:
        answers = [
            await person.call(method, f"/conversations/{which}{rest_of_path}", json=body)
            for person, which in (
                (bruno, conversation["id"]),
                (stranger, conversation["id"]),
                (bruno, str(uuid4())),
            )
        ]
        bodies = [{**answer.json(), "trace_id": ""} for answer in answers]
        assert [answer.status_code for answer in answers] == [404, 404, 404], method
        assert bodies[0] == bodies[1] == bodies[2]
        names = [{**answer.headers, "date": "", "content-length": ""} for answer in answers]
        assert names[0] == names[1] == names[2]


async def test_an_agent_takes_hands_on_and_gives_back_but_takes_from_nobody(
    rest: RestServer,
) -> None:
    ana, bruno, admin = await rest.person(), await rest.person(), await rest.person("admin")
    conversation = await ana.opens_conversation()
    path = f"/conversations/{conversation['id']}"

    not_mine = await ana.patch(path, {"assigned_to": bruno.user_id})
    taken = await ana.patch(path, {"assigned_to": ana.user_id})
    handed_on = await ana.patch(path, {"assigned_to": bruno.user_id})
    gone = await ana.patch(path, {"assigned_to": ana.user_id})
    given_back = await bruno.patch(path, {"assigned_to": None})
    by_admin = await admin.patch(path, {"assigned_to": ana.user_id})

    assert (not_mine.status_code, not_mine.json()["code"]) == (403, "forbidden")
    assert taken.json()["assigned_to"] == ana.user_id
    assert handed_on.json()["assigned_to"] == bruno.user_id
    assert gone.status_code == 404
    assert given_back.json()["assigned_to"] is None
    assert by_admin.json()["assigned_to"] == ana.user_id


async def test_of_two_who_take_it_at_once_one_wins(rest: RestServer) -> None:
    agents = [await rest.person() for _ in range(5)]
    conversation = await agents[0].opens_conversation()
    path = f"/conversations/{conversation['id']}"

    answers = await asyncio.gather(
        *(agent.patch(path, {"assigned_to": agent.user_id}) for agent in agents)
    )

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    # Who asked after the winner's commit does not see it any more.
    assert set(statuses[1:]) <= {404, 409}


async def test_who_loses_a_conversation_is_told_so_and_who_gets_it_as_well(
    rest: RestServer,
) -> None:
    ana, bruno = await rest.person(), await rest.person()
    conversation = await ana.opens_conversation()
    path = f"/conversations/{conversation['id']}"
    await ana.patch(path, {"assigned_to": ana.user_id})
    rest.heard.notices.clear()

    await ana.patch(path, {"assigned_to": bruno.user_id})

    notices = [(rooms, name) for rooms, name, _ in rest.heard.notices]
    assert notices == [
        ((member_room(rest.organization_id, ana.user_id),), "inbox:removed"),
        (
            tuple(list_rooms(rest.organization_id, bruno.user_id)),
            "inbox:updated",
        ),
    ]


async def test_a_conversation_that_was_opened_is_on_the_lists_before_anybody_writes(
    rest: RestServer,
) -> None:
    ana = await rest.person()
    rest.heard.notices.clear()

    opened = await ana.opens_conversation()
    contact = {"name": "Rui", "phone": opened["contact"]["phone"]}
    again = await ana.post("/conversations", {"contact": contact})

    assert again.status_code == 200
    [(rooms, name, data)] = rest.heard.notices
    organization = f"organization:{rest.organization_id}"
    assert (rooms, name) == (
        (f"{organization}:admins", f"{organization}:unassigned"),
        "inbox:updated",
    )
    assert data["conversation"]["id"] == opened["id"]


async def test_closing_and_reopening(rest: RestServer) -> None:
    ana = await rest.person()
    conversation = await ana.opens_conversation()
    path = f"/conversations/{conversation['id']}"

    closed = await ana.patch(path, {"status": "closed"})
    listed = await ana.get("/conversations", status="open")
    reopened = await ana.patch(path, {"status": "open"})

    assert closed.json()["status"] == "closed"
    assert listed.json()["items"] == []
    assert reopened.json()["status"] == "open"


async def test_the_read_position_moves_up_and_other_devices_hear_of_it(rest: RestServer) -> None:
    ana = await rest.person()
    conversation = await ana.opens_conversation()
    message = (await ana.writes(conversation["id"], "x")).json()
    path = f"/conversations/{conversation['id']}/read"

    forward = await ana.post(path, {"seq": message["seq"]})
    back = await ana.post(path, {"seq": 0})

    assert forward.json()["seq"] == back.json()["seq"] == message["seq"]
    read = [
        (rooms, data) for rooms, name, data in rest.heard.notices if name == "conversation:read"
    ]
    assert read == [((member_room(rest.organization_id, ana.user_id),), forward.json())]


async def test_the_list_goes_on_from_its_cursor_newest_activity_first(rest: RestServer) -> None:
    ana = await rest.person()
    made = [(await ana.opens_conversation(f"+55119000000{n:02}"))["id"] for n in range(5)]
    await ana.writes(made[1], "newest")

    first = (await ana.get("/conversations", limit=2)).json()
    second = (await ana.get("/conversations", limit=2, cursor=first["next_cursor"])).json()
    third = (await ana.get("/conversations", limit=2, cursor=second["next_cursor"])).json()

    ids = [item["id"] for page in (first, second, third) for item in page["items"]]
    assert ids == [made[1], made[4], made[3], made[2], made[0]]
    assert third["next_cursor"] is None


async def test_filters_of_the_list(rest: RestServer) -> None:
    ana = await rest.person()
    mine = await ana.opens_conversation("+5511900000001")
    free = await ana.opens_conversation("+5511900000002")
    await ana.patch(f"/conversations/{mine['id']}", {"assigned_to": ana.user_id})

    async def ids(**params: str) -> list[str]:
        return [item["id"] for item in (await ana.get("/conversations", **params)).json()["items"]]

    assert await ids(assigned_to="me") == [mine["id"]]
    assert await ids(assigned_to=ana.user_id) == [mine["id"]]
    assert await ids(assigned_to="none") == [free["id"]]
    assert await ids(q="5511900000002") == [free["id"]]
    assert await ids(q="%") == []
