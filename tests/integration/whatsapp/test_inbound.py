"""What becomes of deliveries: every item on its own, once, and never dropped in silence."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from channel.bench import PHONE, Bench, now
from cluster.waiting import eventually
from pytake.application.channel_ports import FileMissing
from pytake.application.personal_data import PersonalData
from pytake.domain.message import Message, MessageType
from pytake.simulator.customers import PIXEL, keep_file
from pytake.simulator.envelopes import signature
from pytake.whatsapp import deliveries
from pytake.whatsapp.media import storage_key
from pytake.whatsapp.payloads import Item, parse_delivery

pytestmark = pytest.mark.integration


async def only_message(bench: Bench, count: int = 1) -> list[Message]:
    async def all_messages() -> list[Message]:
        found: list[Message] = []
        for conversation in await bench.conversations():
            found += await bench.messages(conversation.id)
        return found if len(found) >= count else []

    found: list[Message] = await eventually(all_messages, f"{count} messages")
    return found


async def deliver(bench: Bench, *values: dict[str, Any]) -> None:
    """Post one body that the simulator itself would not write."""
    metadata = {"phone_number_id": bench.channel.phone_number_id}
    changes = [{"field": "messages", "value": {"metadata": metadata} | v} for v in values]
    await post(bench, json.dumps({"entry": [{"id": "1", "changes": changes}]}).encode())


async def post(bench: Bench, body: bytes) -> None:
    http: httpx.AsyncClient = bench.simulator.postman._http
    headers = {"X-Hub-Signature-256": signature(body, "app secret")}
    answer = await http.post("/api/v1/webhooks/whatsapp", content=body, headers=headers)
    assert answer.status_code == 200


async def test_the_same_message_at_the_same_moment_is_stored_once(bench: Bench) -> None:
    bench.fault(simultaneous_duplicate=1.0, duplicate=1.0)

    for number in range(5):
        bench.customer_writes(f"oi {number}")
    await bench.simulator.until_idle(within_seconds=15)
    await eventually(lambda: _is_worked_off(bench), "everything is worked off")

    messages = await only_message(bench, 5)
    assert sorted(m.content["text"] for m in messages) == [f"oi {n}" for n in range(5)]
    assert [m.seq for m in messages] == [1, 2, 3, 4, 5]


async def _is_worked_off(bench: Bench) -> bool:
    return (await bench.store.webhooks.depth())[0] == 0


async def test_poison_goes_to_quarantine_and_its_neighbours_are_stored(bench: Bench) -> None:
    good = {"id": "wamid.good", "from": PHONE, "type": "text", "text": {"body": "oi"}}

    await deliver(bench, {"messages": [{"type": "text"}, good, None]}, {"statuses": "none"})

    (message,) = await only_message(bench)
    assert message.whatsapp_message_id == "wamid.good"

    async def quarantined() -> Any:
        page = await bench.store.quarantine.items(bench.organization, cursor=None, limit=10)
        return page.items if len(page.items) == 3 else None

    items = await eventually(quarantined, "three items in quarantine")
    assert {item.reason for item in items} == {
        "a message without a usable id",
        "a message that is no object",
        "`statuses` is no list",
    }


async def test_no_delivery_stops_those_behind_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(body: bytes) -> list[Item]:
        if body == b"unforeseen":
            raise LookupError
        return parse_delivery(body)

    monkeypatch.setattr(deliveries, "parse_delivery", parse)
    for depth in (300, 2_000):
        await post(bench, b'{"entry":' + b"[" * depth + b"]" * depth + b"}")
    await post(bench, b"unforeseen")
    await deliver(bench, {"metadata": "none", "history": [{"threads": [{"messages": [{}]}]}]})
    good = {"id": "wamid.good", "from": PHONE, "type": "text", "text": {"body": "oi"}}
    await deliver(bench, {"messages": [good]})

    (message,) = await only_message(bench)
    await eventually(lambda: _is_worked_off(bench), "everything is worked off")

    page = await bench.store.quarantine.items(bench.organization, cursor=None, limit=10)
    assert message.whatsapp_message_id == "wamid.good"
    assert len(page.items) == 4
    assert "failed: LookupError" in {item.reason for item in page.items}


async def test_a_customer_with_and_without_the_ninth_digit_has_one_conversation(
    bench: Bench,
) -> None:
    text = {"type": "text", "text": {"body": "oi"}}

    await deliver(bench, {"messages": [{"id": "1", "from": PHONE} | text]})
    await deliver(bench, {"messages": [{"id": "2", "from": PHONE[:4] + PHONE[5:]} | text]})
    await deliver(bench, {"messages": [{"id": "3", "from": "551130001234"} | text]})

    await only_message(bench, 3)
    assert len(await bench.conversations()) == 2


async def test_who_hides_the_number_keeps_one_conversation_when_it_becomes_known(
    bench: Bench,
) -> None:
    text = {"type": "text", "text": {"body": "oi"}, "from_user_id": "BR.1"}

    await deliver(bench, {"messages": [{"id": "1"} | text]})
    await only_message(bench)
    await deliver(bench, {"messages": [{"id": "2", "from": PHONE} | text]})

    await only_message(bench, 2)
    (conversation,) = await bench.conversations()
    assert conversation.contact.phone == f"+{PHONE}"


@pytest.mark.parametrize("fault", ["expired_media", "slow_media"])
async def test_a_file_is_fetched_verified_and_kept(bench: Bench, fault: str) -> None:
    faults = replace(bench.simulator.world.faults, slow_media_seconds=0.2)
    bench.simulator.world.faults = faults.changed({fault: 1.0})
    file = keep_file(bench.simulator.world, PIXEL, "image/png")

    bench.customer_writes(
        {"type": "image", "image": {"id": file.id, "mime_type": "image/png", "sha256": file.sha256}}
    )
    (message,) = await only_message(bench)
    media_id = message.content["media_id"]

    async def fetched() -> Any:
        record = await bench.store.media.media(media_id)
        return record if record is not None and record.storage_key else None

    record = await eventually(fetched, "the file is here")
    assert message.message_type is MessageType.IMAGE
    assert record.sha256 == file.sha256
    assert await bench.files.get(storage_key(record)) == PIXEL


async def test_a_file_that_is_not_what_was_announced_is_given_up(bench: Bench) -> None:
    file = keep_file(bench.simulator.world, PIXEL, "image/png")

    bench.customer_writes(
        {"type": "image", "image": {"id": file.id, "mime_type": "image/png", "sha256": "0" * 64}}
    )
    (message,) = await only_message(bench)

    async def given_up() -> Any:
        record = await bench.store.media.media(message.content["media_id"])
        return record if record is not None and record.failure else None

    record = await eventually(given_up, "it is given up", 30)
    assert record.failure == "the bytes do not fit their hash"
    assert record.storage_key is None


async def test_a_file_that_nobody_can_keep_holds_no_other_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (
        keep_file(bench.simulator.world, PIXEL + end, "image/png") for end in (b"1", b"2")
    )
    put = bench.files.put

    async def refuse_the_first(key: str, data: bytes) -> None:
        if data == PIXEL + b"1":
            raise ValueError("no such thing was foreseen")
        await put(key, data)

    monkeypatch.setattr(bench.files, "put", refuse_the_first)
    for file in (first, second):
        bench.customer_writes({"type": "image", "image": {"id": file.id, "mime_type": "image/png"}})
    messages = await only_message(bench, 2)

    async def are_settled() -> bool:
        records = [await bench.store.media.media(m.content["media_id"]) for m in messages]
        by_id = {record.provider_id: record for record in records if record is not None}
        return bool(by_id[first.id].failure) and by_id[second.id].storage_key is not None

    await eventually(are_settled, "one is given up, the other one is here", 30)


async def test_a_burst_of_one_customer_keeps_its_order(bench: Bench) -> None:
    texts = [f"linha {number}" for number in range(30)]
    messages = [
        {"id": f"wamid.{n}", "from": PHONE, "type": "text", "text": {"body": text}}
        for n, text in enumerate(texts)
    ]

    for start in range(0, 30, 5):
        await deliver(bench, {"messages": messages[start : start + 5]})

    stored = await only_message(bench, 30)
    assert [message.content["text"] for message in stored] == texts


async def test_an_erased_contact_leaves_tombstones_and_no_file(bench: Bench) -> None:
    file = keep_file(bench.simulator.world, PIXEL, "image/png")
    bench.customer_writes("meu CPF é 123.456.789-09")
    image = {"id": file.id, "mime_type": "image/png", "sha256": file.sha256}
    bench.customer_writes({"type": "image", "image": image})
    messages = await only_message(bench, 2)
    (conversation,) = await bench.conversations()
    media_id = next(m.content["media_id"] for m in messages if "media_id" in m.content)

    async def fetched() -> Any:
        record = await bench.store.media.media(media_id)
        return record if record is not None and record.storage_key else None

    await eventually(fetched, "the file is here")
    exported = await bench.store.contacts.export(bench.organization, conversation.contact.id)

    data = PersonalData(bench.store.contacts, bench.files, bench.store.audit, now)
    await data.erase(bench.principal, conversation.contact.id)

    assert exported is not None
    assert "123.456.789-09" in json.dumps(exported, default=str)
    with pytest.raises(FileMissing):
        await bench.files.get(f"{bench.organization}/{media_id}")
    after = await bench.messages(conversation.id)
    assert [m.seq for m in after] == [1, 2]
    assert not any("123.456" in str(m.content) for m in after)
    (gone,) = await bench.conversations()
    assert gone.contact.phone is None
    assert "Clara" not in gone.contact.name


async def test_a_delivery_is_answered_before_it_is_worked_and_batched_with_others(
    bench: Bench,
) -> None:
    text = {"from": PHONE, "type": "text", "text": {"body": "oi"}}

    await asyncio.gather(
        *(deliver(bench, {"messages": [{"id": str(n)} | text]}) for n in range(20))
    )

    assert len(await only_message(bench, 20)) == 20


async def test_templates_are_those_of_whatsapp_and_follow_its_news(bench: Bench) -> None:
    async def states() -> dict[str, str]:
        found = await bench.store.templates.templates(bench.organization)
        return {template.name: template.status for template in found}

    await eventually(states, "the list was read")
    assert set((await states()).values()) == {"APPROVED"}

    transport = httpx.ASGITransport(bench.simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as control:
        change = {"name": "oferta_da_semana", "status": "PAUSED"}
        (await control.patch("/control/templates", json=change)).raise_for_status()

    async def is_paused() -> bool:
        return (await states())["oferta_da_semana"] == "PAUSED"

    await eventually(is_paused, "the news arrived")
