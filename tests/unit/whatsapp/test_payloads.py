"""What comes out of a delivery, item by item."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytake.application.ports import Channel
from pytake.domain.ids import ChannelId, OrganizationId
from pytake.domain.message import MessageType
from pytake.whatsapp.inbound import NotUnderstood, to_inbound
from pytake.whatsapp.payloads import ChangeItem, MessageItem, Poison, StatusItem, parse_delivery
from pytake.whatsapp.statuses import to_report

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CHANNEL = Channel(
    id=ChannelId("c0000000-0000-4000-8000-000000000001"),
    organization_id=OrganizationId("a0000000-0000-4000-8000-000000000001"),
    name="Loja",
    phone_number_id="1065",
)


def delivery(*values: Any, field: str = "messages") -> bytes:
    changes = [{"field": field, "value": value} for value in values]
    return json.dumps({"entry": [{"id": "1", "changes": changes}]}).encode()


def value(**members: Any) -> dict[str, Any]:
    return {
        "metadata": {"phone_number_id": "1065", "display_phone_number": "551130000000"}
    } | members


def message(**members: Any) -> dict[str, Any]:
    return {"id": "wamid.1", "from": "5511987654321", "timestamp": "1795348800"} | members


def understood(raw: dict[str, Any], contact: dict[str, Any] | None = None) -> Any:
    inbound, _ = to_inbound(MessageItem("1065", raw, contact or {}), CHANNEL, NOW)
    return inbound


def test_each_message_and_status_of_each_change_is_an_item_in_its_order() -> None:
    body = delivery(
        value(messages=[message(id="a"), message(id="b")]),
        value(statuses=[{"id": "c"}], messages=[message(id="d")]),
    )

    items = parse_delivery(body)

    ids = [i.message["id"] if isinstance(i, MessageItem) else i.status["id"] for i in items]  # type: ignore[union-attr]
    assert ids == ["a", "b", "d", "c"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[1, 2]",
        b"17",
        b"\xff\xfe",
        b'{"entry": 5}',
        b'{"object": "page"}',
        b"{}",
    ],
)
def test_nonsense_is_one_poison_item(body: bytes) -> None:
    (item,) = parse_delivery(body)

    assert isinstance(item, Poison)


def test_a_poison_item_leaves_its_neighbours_alone() -> None:
    body = delivery(
        value(messages="not a list"),
        value(messages=[message(id="good"), None, 17]),
        "no value",
        value(statuses={"id": "no list"}),
    )

    kinds = [type(item) for item in parse_delivery(body)]

    assert kinds.count(MessageItem) == 1
    assert kinds.count(Poison) == 5


def test_a_field_that_nobody_knows_is_a_change_to_be_ignored() -> None:
    (item,) = parse_delivery(delivery(value(sky="blue"), field="weather_forecast"))

    assert isinstance(item, ChangeItem)
    assert item.field == "weather_forecast"


@pytest.mark.parametrize("text", ["ol\x00a", "half \ud83d of a pair"])
def test_text_that_a_database_cannot_hold_is_made_harmless(text: str) -> None:
    (item,) = parse_delivery(delivery(value(messages=[message(type="text", text={"body": text})])))

    assert isinstance(item, MessageItem)
    stored = item.message["text"]["body"]
    assert "\x00" not in stored
    stored.encode("utf-8")


def test_contacts_are_paired_by_name_and_not_by_position() -> None:
    people = [
        {"wa_id": "5521999990000", "profile": {"name": "Rui"}},
        # The ninth digit is missing here and present in the message.
        {"wa_id": "551187654321", "profile": {"name": "Ana"}},
    ]

    (item,) = parse_delivery(delivery(value(messages=[message()], contacts=people)))

    assert isinstance(item, MessageItem)
    assert item.contact["profile"]["name"] == "Ana"


def test_both_writings_of_a_number_share_a_lane() -> None:
    body = delivery(value(messages=[message(), message(**{"from": "551187654321"})]))

    first, second = parse_delivery(body)

    assert first.lane == second.lane


def test_the_address_to_reply_to_is_what_whatsapp_gave() -> None:
    inbound = understood(message(type="text", text={"body": "oi"}), {"user_id": "BR.1"})

    assert inbound.identifiers == (
        ("phone", "5511987654321"),
        ("phone", "551187654321"),
        ("bsuid", "BR.1"),
    )


def test_a_customer_without_a_phone_is_known_by_the_business_scoped_id() -> None:
    raw = message(type="text", text={"body": "oi"}, from_user_id="BR.2")
    del raw["from"]

    assert understood(raw).identifiers == (("bsuid", "BR.2"),)


@pytest.mark.parametrize("missing", ["id", "from"])
def test_a_message_without_id_or_sender_is_not_understood(missing: str) -> None:
    raw = message(type="text", text={"body": "oi"})
    del raw[missing]

    with pytest.raises(NotUnderstood):
        understood(raw)


@pytest.mark.parametrize(
    ("raw", "message_type", "content"),
    [
        ({"type": "text", "text": {"body": "olá 😊"}}, MessageType.TEXT, {"text": "olá 😊"}),
        (
            {
                "type": "location",
                "location": {"latitude": -23.5, "longitude": -46.6, "name": "MASP"},
            },
            MessageType.LOCATION,
            {"latitude": -23.5, "longitude": -46.6, "name": "MASP"},
        ),
        (
            {"type": "contacts", "contacts": [{"name": {"formatted_name": "Rui"}}]},
            MessageType.CONTACTS,
            {"contacts": [{"name": {"formatted_name": "Rui"}}]},
        ),
        (
            {"type": "reaction", "reaction": {"message_id": "wamid.0", "emoji": "👍"}},
            MessageType.REACTION,
            {"reacts_to": "wamid.0", "emoji": "👍"},
        ),
        (
            {"type": "reaction", "reaction": {"message_id": "wamid.0"}},
            MessageType.REACTION,
            {"reacts_to": "wamid.0", "emoji": None},
        ),
        (
            {
                "type": "interactive",
                "interactive": {
                    "type": "button_reply",
                    "button_reply": {"id": "1", "title": "Sim"},
                },
            },
            MessageType.INTERACTIVE,
            {"kind": "button_reply", "id": "1", "title": "Sim", "text": "Sim"},
        ),
        (
            {"type": "button", "button": {"payload": "p", "text": "Quero"}},
            MessageType.INTERACTIVE,
            {"kind": "button", "payload": "p", "text": "Quero"},
        ),
        (
            {"type": "order", "order": {"catalog_id": "7", "product_items": [{}, {}]}},
            MessageType.INTERACTIVE,
            {
                "kind": "order",
                "catalog_id": "7",
                "product_items": [{}, {}],
                "text": "Pedido: 2 itens",
            },
        ),
        (
            {
                "type": "system",
                "system": {"body": "Ana mudou de número", "type": "user_changed_number"},
            },
            MessageType.UNSUPPORTED,
            {
                "kind": "system",
                "body": "Ana mudou de número",
                "text": "Ana mudou de número",
                "type": "user_changed_number",
            },
        ),
        (
            {"type": "unsupported", "unsupported": {"type": "poll"}, "errors": [{"code": 131051}]},
            MessageType.UNSUPPORTED,
            {"kind": "poll", "raw": {"type": "poll"}, "provider_error": {"code": 131051}},
        ),
        (
            {"type": "revoke", "revoke": {"original_message_id": "wamid.0"}},
            MessageType.UNSUPPORTED,
            {"kind": "revoke", "target": "wamid.0"},
        ),
        (
            {"type": "edit", "edit": {"original_message_id": "wamid.0", "text": {"body": "oi!"}}},
            MessageType.UNSUPPORTED,
            {"kind": "edit", "target": "wamid.0", "text": "oi!"},
        ),
        (
            {"type": "edit", "edit": {"message": {}}},
            MessageType.UNSUPPORTED,
            {"kind": "edit", "raw": {"message": {}}},
        ),
        (
            {"type": "hologram", "hologram": {"depth": 3}},
            MessageType.UNSUPPORTED,
            {"kind": "hologram", "raw": {"depth": 3}},
        ),
        (
            {"type": "text", "text": "no object"},
            MessageType.UNSUPPORTED,
            {"kind": "text", "raw": "no object"},
        ),
        ({}, MessageType.UNSUPPORTED, {"kind": "unknown"}),
    ],
)
def test_every_type_is_stored_and_an_unknown_one_as_a_placeholder(
    raw: dict[str, Any], message_type: MessageType, content: dict[str, Any]
) -> None:
    inbound = understood(message(**raw))

    assert inbound.message_type is message_type
    assert inbound.content == content


@pytest.mark.parametrize("kind", ["image", "video", "audio", "document", "sticker"])
def test_a_file_is_named_the_same_at_every_delivery(kind: str) -> None:
    body = {"id": "99", "mime_type": "x/y", "sha256": "abc", "caption": "veja"}
    item = MessageItem("1065", message(type=kind, **{kind: body}), {})

    (first, record), (again, _) = (to_inbound(item, CHANNEL, NOW) for _ in range(2))

    assert record is not None
    assert record.provider_id == "99"
    assert first.content["media_id"] == again.content["media_id"] == record.id
    assert first.content["caption"] == "veja"


def test_what_surrounds_a_message_is_kept() -> None:
    inbound = understood(
        message(
            type="text",
            text={"body": "sim"},
            context={"id": "wamid.0", "from": "55", "forwarded": True},
            referral={"source_id": "ad", "headline": "Oferta"},
        )
    )

    assert inbound.content["reply_to"] == {"whatsapp_message_id": "wamid.0"}
    assert inbound.content["forwarded"] is True
    assert inbound.content["referral"]["headline"] == "Oferta"


@pytest.mark.parametrize("timestamp", [None, "soon", "", "9" * 30, "32503680000"])
def test_a_time_that_cannot_be_is_replaced_by_the_time_of_arrival(timestamp: str | None) -> None:
    assert understood(message(timestamp=timestamp)).sent_at == NOW


def test_the_time_of_a_message_is_the_providers() -> None:
    hour_ago = NOW - timedelta(hours=1)

    assert understood(message(timestamp=str(int(hour_ago.timestamp())))).sent_at == hour_ago


def test_a_message_of_the_phone_app_is_an_echo_that_opens_no_window() -> None:
    echo = {"id": "wamid.e", "from": "551130000000", "to": "5511987654321", "type": "text",
            "text": {"body": "Já respondi"}}  # fmt: skip
    (item,) = parse_delivery(delivery(value(message_echoes=[echo]), field="smb_message_echoes"))

    assert isinstance(item, MessageItem)
    inbound, _ = to_inbound(item, CHANNEL, NOW)

    assert inbound.is_echo
    assert not inbound.opens_window
    assert inbound.identifiers[0] == ("phone", "5511987654321")


def test_history_is_of_both_sides_and_opens_no_window() -> None:
    old = [message(id="a"), message(id="b", **{"from": "551130000000"})]
    threads = [{"id": "5511987654321", "messages": old}]

    items = parse_delivery(delivery(value(history=[{"threads": threads}]), field="history"))

    inbound = [to_inbound(item, CHANNEL, NOW)[0] for item in items if isinstance(item, MessageItem)]
    assert [each.is_echo for each in inbound] == [False, True]
    assert {each.identifiers[0] for each in inbound} == {("phone", "5511987654321")}
    assert all(each.is_history and not each.opens_window for each in inbound)
    assert all(each.content["from_history"] for each in inbound)
    assert len({item.lane for item in items}) == 1


def test_a_status_is_found_by_our_own_id_and_by_the_providers() -> None:
    ours = "d0000000-0000-4000-8000-000000000001"
    item = StatusItem(
        "1065",
        {"id": "wamid.9", "status": "played", "timestamp": "1", "biz_opaque_callback_data": ours},
    )

    report = to_report(item, CHANNEL, NOW)

    assert (report.message_id, report.whatsapp_message_id) == (ours, "wamid.9")
    assert report.status == "read"


def test_a_failure_says_in_plain_words_what_to_do() -> None:
    errors = [{"code": 131047, "title": "Re-engagement", "error_data": {"details": "24 hours"}}]
    item = StatusItem("1065", {"id": "wamid.9", "status": "failed", "errors": errors})

    report = to_report(item, CHANNEL, NOW)

    assert report.error == {
        "code": "whatsapp_131047",
        "title": "The customer has not written within the last 24 hours.",
        "detail": "24 hours",
        "next_step": "Send an approved template, or wait for the customer to write.",
    }


@pytest.mark.parametrize("raw", [{}, {"id": "x", "status": "teleported"}, {"status": "sent"}])
def test_a_status_without_sense_is_not_understood(raw: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood):
        to_report(StatusItem("1065", raw), CHANNEL, NOW)
