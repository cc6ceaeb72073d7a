"""What WhatsApp tells beside messages, and what customers are shown of agents."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from channel.bench import PHONE, Bench, now
from cluster.waiting import eventually
from pytake.application.channel_ports import NewsItem
from pytake.application.ports import ChannelChange
from pytake.domain.conversation import Conversation
from pytake.domain.message import MessageType
from pytake.simulator.world import Customer

pytestmark = pytest.mark.integration

BODY = {"type": "body", "parameters": [{"type": "text", "text": "Clara"}]}
MARKETING = {"name": "oferta_da_semana", "language": "pt_BR", "components": [BODY]}
UTILITY = {"name": "retomar_conversa", "language": "pt_BR", "components": [BODY]}


async def only_conversation(bench: Bench) -> Conversation:
    (found,) = await bench.conversations()
    return found


async def until_opted_out(bench: Bench, *, is_out: bool) -> None:
    async def holds() -> bool:
        contact = (await only_conversation(bench)).contact
        return (contact.marketing_opt_out_at is not None) == is_out

    await eventually(holds, f"opted out: {is_out}")


def customer_of(bench: Bench) -> Customer:
    customer = bench.simulator.world.customer(PHONE)
    assert customer is not None
    return customer


async def news_of(bench: Bench, kind: str) -> NewsItem:
    async def has_come() -> NewsItem | None:
        page = await bench.store.news.items(bench.organization, cursor=None, limit=50)
        return next((item for item in page.items if item.kind == kind), None)

    found: NewsItem = await eventually(has_come, f"news of {kind}")
    return found


async def templates_are_read(bench: Bench) -> None:
    async def are_read() -> bool:
        return bool(await bench.store.templates.templates(bench.organization))

    await eventually(are_read, "the list of templates was read")


async def test_who_has_said_stop_gets_no_marketing_and_everything_else(bench: Bench) -> None:
    conversation = await bench.conversation()
    await templates_are_read(bench)
    course = bench.simulator.course

    course.choose_marketing(customer_of(bench), is_wanted=False)
    await until_opted_out(bench, is_out=True)
    marketing = await bench.send(conversation.id, MARKETING, MessageType.TEMPLATE)
    refused = await bench.until_status(marketing, "failed")
    utility = await bench.send(conversation.id, UTILITY, MessageType.TEMPLATE)
    await bench.until_status(utility, "read")
    course.choose_marketing(customer_of(bench), is_wanted=True)
    await until_opted_out(bench, is_out=False)
    again = await bench.send(conversation.id, MARKETING, MessageType.TEMPLATE)
    await bench.until_status(again, "read")

    assert refused.error is not None
    assert refused.error["code"] == "whatsapp_131050"
    # Nothing went out: WhatsApp would have counted it against the number.
    assert bench.simulator.attempts(marketing) == 0


async def test_an_error_tells_of_an_opt_out_that_no_webhook_told(bench: Bench) -> None:
    conversation = await bench.conversation()
    await templates_are_read(bench)
    customer_of(bench).wants_no_marketing = True

    message_id = await bench.send(conversation.id, MARKETING, MessageType.TEMPLATE)
    await bench.until_status(message_id, "failed")

    await until_opted_out(bench, is_out=True)
    assert bench.simulator.attempts(message_id) == 0


async def test_a_template_that_was_refused_is_not_offered_again(bench: Bench) -> None:
    conversation = await bench.conversation()
    await templates_are_read(bench)
    for template in bench.simulator.world.templates:
        template["status"] = "PAUSED"

    message_id = await bench.send(conversation.id, UTILITY, MessageType.TEMPLATE)
    message = await bench.until_status(message_id, "failed")

    known = await bench.store.templates.template(bench.organization, "retomar_conversa", "pt_BR")
    assert message.error is not None
    assert message.error["code"] == "whatsapp_132015"
    assert known is not None
    assert known.status == "PAUSED"


async def test_news_of_a_number_find_it_by_its_account(bench: Bench) -> None:
    """Such a delivery names the account and how the number is shown, never our id of it."""
    await bench.conversation()
    number = bench.simulator.world.number()

    async def account() -> str | None:
        (channel,) = await bench.store.channels.channels(bench.organization)
        return channel.account_id

    await eventually(account, "a message has told the account")
    bench.simulator.course.tell(
        "phone_number_quality_update",
        {
            "display_phone_number": number.display_phone_number,
            "event": "FLAGGED",
            "current_limit": "TIER_250",
        },
    )
    item = await news_of(bench, "phone_number_quality_update")

    (channel,) = await bench.store.channels.channels(bench.organization)
    assert (channel.quality_rating, channel.messaging_limit) == ("RED", "TIER_250")
    assert item.channel_id == channel.id
    assert item.details["event"] == "FLAGGED"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account_update", {"event": "ACCOUNT_RESTRICTION"}),
        ("account_alerts", {"alert_severity": "CRITICAL", "alert_type": "OBA_APPROVED"}),
        ("business_capability_update", {"max_daily_conversation_per_phone": 10_000}),
        ("security", {"event": "PIN_CHANGED"}),
        ("message_template_quality_update", {"new_quality_score": "YELLOW"}),
    ],
)
async def test_other_news_are_kept_as_they_came(
    bench: Bench, field: str, value: dict[str, Any]
) -> None:
    bench.simulator.course.tell(field, value)

    item = await news_of(bench, field)

    assert item.details == value


async def test_a_number_that_is_stopped_is_news(bench: Bench) -> None:
    conversation = await bench.conversation()
    bench.simulator.world.number().access_token = "another token"
    await bench.send(conversation.id, "um")

    item = await news_of(bench, "number_stopped")

    assert item.details["code"] == 190
    assert item.channel_id == bench.channel.id


def _timestamp() -> str:
    return str(int(now().timestamp()))


@pytest.mark.parametrize(
    "told",
    [
        {"statuses": [{"id": "wamid.unknown", "status": "failed"}]},
        {"messages": [{"id": "wamid.odd", "from": PHONE, "type": "unsupported"}]},
        {},
    ],
)
async def test_a_number_that_may_not_send_stops_wherever_whatsapp_says_so(
    bench: Bench, told: dict[str, Any]
) -> None:
    errors = [{"code": 131026}, {"code": 131042, "title": "Business eligibility payment issue"}]
    for items in told.values():
        items[0] |= {"errors": errors, "timestamp": _timestamp()}
    bench.simulator.course.tell("messages", _metadata(bench) | (told or {"errors": errors}))

    item = await news_of(bench, "number_stopped")

    (channel,) = await bench.store.channels.channels(bench.organization)
    assert item.details["code"] == 131042
    assert not channel.is_active
    assert str(channel.stopped_because).startswith("whatsapp_131042")


async def test_an_old_error_stops_nothing_and_that_of_a_number_is_shown(bench: Bench) -> None:
    old = {"id": "wamid.unknown", "status": "failed", "timestamp": "1750263773"}
    errors = {"errors": [{"code": 130429, "title": "Rate limit hit"}]}
    for value in ({"statuses": [old | {"errors": [{"code": 131042}]}]}, errors):
        bench.simulator.course.tell("messages", _metadata(bench) | value)

    item = await news_of(bench, "errors")

    (channel,) = await bench.store.channels.channels(bench.organization)
    assert item.details == errors
    assert item.channel_id == channel.id
    assert channel.is_active


def _metadata(bench: Bench) -> dict[str, Any]:
    return {"metadata": {"phone_number_id": bench.channel.phone_number_id}}


async def test_what_nobody_knows_is_ignored(bench: Bench) -> None:
    bench.simulator.course.tell("weather_forecast", {"sky": "blue"})
    bench.customer_writes()
    await bench.conversation()

    page = await bench.store.news.items(bench.organization, cursor=None, limit=50)
    poison = await bench.store.quarantine.items(bench.organization, cursor=None, limit=50)
    assert (page.items, poison.items) == ((), ())


async def test_news_without_what_it_must_have_goes_to_quarantine(bench: Bench) -> None:
    bench.simulator.course.tell("message_template_status_update", {"event": "PAUSED"})

    async def has_come() -> bool:
        page = await bench.store.quarantine.items(bench.organization, cursor=None, limit=50)
        return [item.reason for item in page.items] == ["news of a template without its name"]

    await eventually(has_come, "the poison is shown")


async def test_a_customer_with_a_new_number_stays_the_same_contact(bench: Bench) -> None:
    conversation = await bench.conversation()
    said = {
        "type": "user_changed_number",
        "body": "Clara mudou de número",
        "wa_id": "5521911112222",
    }
    bench.customer_writes({"type": "system", "system": said})

    await eventually(
        lambda: _named(bench, "5521911112222", conversation), "the new number is the contact's"
    )
    bench.customer_writes("agora daqui", phone="5521911112222")

    async def has_arrived() -> bool:
        messages = await bench.messages(conversation.id)
        return any(m.content.get("text") == "agora daqui" for m in messages)

    await eventually(has_arrived, "it is the same conversation")
    assert len(await bench.conversations()) == 1


async def _named(bench: Bench, phone: str, conversation: Conversation) -> bool:
    found = await bench.store.contacts.contact_named(bench.organization, [("phone", phone)])
    return found == conversation.contact.id


async def test_a_business_scoped_id_that_changes_stays_the_same_contact(bench: Bench) -> None:
    conversation = await bench.conversation()
    ids = {"previous": customer_of(bench).user_id, "current": "BR.new"}
    bench.simulator.course.tell("user_id_update", {"user_id_update": [{"user_id": ids}]})

    async def is_known() -> bool:
        names = [("bsuid", "BR.new")]
        found = await bench.store.contacts.contact_named(bench.organization, names)
        return found == conversation.contact.id

    await eventually(is_known, "the new id is a name of the contact")


async def test_customers_see_that_agents_read_and_type_where_the_number_wants_it(
    bench: Bench,
) -> None:
    conversation = await bench.conversation()
    signs, customer = bench.store.signs, customer_of(bench)
    seq, later = conversation.last_seq, conversation.created_at
    await signs.ask(conversation.id, seq, is_typing=False, now=later)
    opt_in = ChannelChange(sends_read_marks=True, sends_typing=True)
    await bench.store.channels.change_channel(bench.organization, bench.channel.id, opt_in)

    async def is_shown() -> bool:
        # Which numbers want signs is remembered for some seconds.
        await signs.ask(conversation.id, seq, is_typing=False, now=later)
        return customer.read_up_to is not None

    await eventually(is_shown, "the customer sees blue ticks")
    written = bench.customer_writes("e agora?")
    message = await newest(bench, conversation, written)
    await bench.agent_types(conversation.id)
    await eventually(lambda: customer.business_types_until > 0, "the customer sees an agent type")

    assert message.whatsapp_message_id == customer.read_up_to == written


async def newest(bench: Bench, conversation: Conversation, whatsapp_message_id: str) -> Any:
    async def has_arrived() -> Any:
        messages = await bench.messages(conversation.id)
        return next((m for m in messages if m.whatsapp_message_id == whatsapp_message_id), None)

    return await eventually(has_arrived, "the message has arrived")


async def test_signs_that_whatsapp_refuses_harm_nobody(bench: Bench) -> None:
    conversation = await bench.conversation()
    opt_in = ChannelChange(sends_read_marks=True, sends_typing=True)
    await bench.store.channels.change_channel(bench.organization, bench.channel.id, opt_in)
    bench.simulator.oracle.written.clear()
    await bench.agent_types(conversation.id)

    message_id = await bench.send(conversation.id)
    await bench.until_status(message_id, "read")

    assert customer_of(bench).read_up_to is None


async def test_the_simulators_control_tells_news(bench: Bench) -> None:
    conversation = await bench.conversation()
    transport = httpx.ASGITransport(bench.simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as control:
        path = f"/control/customers/{customer_of(bench).wa_id}/marketing"
        (await control.post(path, json={"wanted": False})).raise_for_status()
        body = {"field": "security", "value": {"event": "PIN_CHANGED"}}
        (await control.post("/control/news", json=body)).raise_for_status()

    await until_opted_out(bench, is_out=True)
    assert (await news_of(bench, "security")).details == {"event": "PIN_CHANGED"}
    assert conversation.contact.marketing_opt_out_at is None
