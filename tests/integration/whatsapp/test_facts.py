"""What the provider's own pages say will come, as it comes: stored, shown, never dropped."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import httpx
import pytest

from channel.bench import AGENT, PHONE, Bench, now
from cluster.waiting import eventually
from pytake.application.write_note import WriteNote
from pytake.domain.ids import UserId
from pytake.domain.message import Message, MessageType
from pytake.domain.principal import Principal, Role
from pytake.simulator.customers import PIXEL, keep_file
from pytake.simulator.envelopes import encode, signature

pytestmark = pytest.mark.integration

FILE = {"id": "9001", "mime_type": "image/png", "sha256": "00"}

EVERY_TYPE: dict[str, Any] = {
    "text": {"body": "oi 😊"},
    "image": FILE | {"caption": "veja"},
    "video": FILE | {"mime_type": "video/mp4"},
    "audio": FILE | {"mime_type": "audio/ogg", "voice": True},
    "document": FILE | {"filename": "nota.pdf"},
    "sticker": FILE | {"mime_type": "image/webp", "animated": True},
    "location": {"latitude": -23.5, "longitude": -46.6, "name": "MASP"},
    "contacts": [{"name": {"formatted_name": "Rui"}, "phones": [{"phone": "+5511"}]}],
    "reaction": {"message_id": "wamid.0", "emoji": "👍"},
    "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "Segunda"}},
    "button": {"payload": "sim", "text": "Sim"},
    "order": {"catalog_id": "7", "product_items": [{"quantity": 2}]},
    "system": {"type": "customer_identity_changed", "body": "Clara trocou de aparelho"},
    "unsupported": {"type": "poll"},
    "edit": {"original_message_id": "wamid.0", "message": {"text": {"body": "oi!"}}},
    "revoke": {"original_message_id": "wamid.0"},
    "hologram": {"depth": 3},
}


async def post(bench: Bench, body: bytes) -> int:
    http: httpx.AsyncClient = bench.simulator.postman._http
    headers = {"X-Hub-Signature-256": signature(body, "app secret")}
    answer = await http.post("/api/v1/webhooks/whatsapp", content=body, headers=headers)
    return answer.status_code


def document(bench: Bench, messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    metadata = {"phone_number_id": bench.channel.phone_number_id}
    value = {"metadata": metadata, "messages": messages}
    return {"entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]} | more


def message_of(kind: str, part: Any) -> dict[str, Any]:
    message = {"id": f"wamid.{kind}", "from": PHONE, "timestamp": "1750263773", "type": kind}
    return message | {kind: part}


async def stored(bench: Bench, count: int) -> dict[str, Message]:
    async def found() -> dict[str, Message]:
        messages: list[Message] = []
        for conversation in await bench.conversations():
            messages += await bench.messages(conversation.id)
        return {str(m.whatsapp_message_id): m for m in messages} if len(messages) >= count else {}

    all_of_them: dict[str, Message] = await eventually(found, f"{count} messages")
    return all_of_them


async def test_every_type_in_one_body_is_stored_in_its_order(bench: Bench) -> None:
    messages = [message_of(kind, part) for kind, part in EVERY_TYPE.items()]

    assert await post(bench, encode(document(bench, messages), escaped=True)) == 200
    found = await stored(bench, len(EVERY_TYPE))

    in_order = sorted(found.values(), key=lambda m: m.seq)
    assert [m.whatsapp_message_id for m in in_order] == [f"wamid.{kind}" for kind in EVERY_TYPE]
    poison = await bench.store.quarantine.items(bench.organization, cursor=None, limit=9)
    assert poison.items == ()
    kinds = {name: found[f"wamid.{name}"].content.get("kind") for name in EVERY_TYPE}
    assert {kinds["unsupported"], kinds["hologram"], kinds["system"]} == {
        "poll",
        "hologram",
        "system",
    }
    assert found["wamid.edit"].content["target"] == "wamid.0"
    assert found["wamid.revoke"].content["target"] == "wamid.0"


@pytest.mark.parametrize("escaped", [True, False])
async def test_the_bytes_on_the_wire_are_signed_however_they_are_written(
    bench: Bench, *, escaped: bool
) -> None:
    r"""`\u00e4` and `ä` mean the same and are signed differently; both forms come."""
    body = encode(document(bench, [message_of("text", {"body": "ação 😊 ä"})]), escaped=escaped)
    assert (rb"\u" in body) is escaped

    assert await post(bench, body) == 200

    assert (await stored(bench, 1))["wamid.text"].content["text"] == "ação 😊 ä"


async def test_three_megabytes_are_taken_and_more_than_four_are_not(bench: Bench) -> None:
    messages = [message_of("text", {"body": "oi"})]
    large = document(bench, messages, padding="x" * 3 * 1024 * 1024)
    too_large = document(bench, messages, padding="x" * 4 * 1024 * 1024)

    answers = [await post(bench, json.dumps(each).encode()) for each in (large, too_large)]

    assert answers == [200, 413]
    assert len(await stored(bench, 1)) == 1


async def test_a_wrong_signature_stores_nothing(bench: Bench) -> None:
    body = encode(document(bench, [message_of("text", {"body": "oi"})]), escaped=True)
    http: httpx.AsyncClient = bench.simulator.postman._http

    answers = [
        await http.post("/api/v1/webhooks/whatsapp", content=body, headers=headers)
        for headers in (
            {},
            {"X-Hub-Signature-256": signature(body, "another secret")},
            {"X-Hub-Signature-256": signature(body + b" ", "app secret")},
        )
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert await bench.store.webhooks.depth() == (0, 0.0)


async def test_other_methods_and_tokens_are_refused(bench: Bench) -> None:
    http: httpx.AsyncClient = bench.simulator.postman._http
    path = "/api/v1/webhooks/whatsapp"
    wrong = {"hub.mode": "subscribe", "hub.verify_token": "guess", "hub.challenge": "1"}

    assert (await http.put(path)).status_code == 405
    assert (await http.get(path, params=wrong)).status_code == 403
    assert await bench.simulator.verify("challenge ä")


async def test_a_file_of_an_agent_reaches_whatsapp_with_its_bytes_and_hash(bench: Bench) -> None:
    conversation = await bench.conversation()
    media_id = await bench.file(PIXEL)

    content = {"media_id": media_id, "caption": "veja"}
    message_id = await bench.send(conversation.id, content, MessageType.IMAGE)
    await bench.until_status(message_id, "read")

    [sent] = bench.simulator.oracle.sent[message_id]
    uploaded = bench.simulator.world.media[sent.body["image"]["id"]]
    assert (uploaded.data, uploaded.sha256) == (PIXEL, sha256(PIXEL).hexdigest())
    assert sent.body["image"]["caption"] == "veja"


async def test_a_voice_note_is_fetched_though_media_is_slow_and_its_address_expires(
    bench: Bench,
) -> None:
    bench.fault(slow_media=1.0, expired_media=1.0, slow_media_seconds=0.2)
    sound = keep_file(bench.simulator.world, b"OggS" + b"\x00" * 50, "audio/ogg")
    audio = {"id": sound.id, "mime_type": "audio/ogg; codecs=opus", "sha256": sound.sha256}
    bench.customer_writes({"type": "audio", "audio": audio | {"voice": True}})
    [message] = (await stored(bench, 1)).values()

    async def is_here() -> bool:
        record = await bench.store.media.media(message.content["media_id"])
        return record is not None and record.storage_key is not None

    await eventually(is_here, "the voice note is here")
    record = await bench.store.media.media(message.content["media_id"])
    assert record is not None
    assert (record.mime_type, record.sha256) == ("audio/ogg", sound.sha256)
    assert message.content["voice"] is True


async def test_a_note_between_messages_never_reaches_the_customer(bench: Bench) -> None:
    conversation = await bench.conversation()
    author = Principal(UserId(AGENT), bench.organization, Role.ADMIN, now())
    await bench.store.users.ensure_principal(author)

    async def announce(committed: Any) -> None:
        bench.announced.append(committed)

    conversations = bench.store.conversations
    write_note = WriteNote(conversations, conversations, announce, now)
    before = await bench.send(conversation.id, "antes")
    await write_note(author, conversation.id, "cliente difícil")
    after = await bench.send(conversation.id, "depois")
    for message_id in (before, after):
        await bench.until_status(message_id, "read")

    sent = [each.body["text"]["body"] for each in bench.simulator.world.sent.values()]
    assert sent == ["antes", "depois"]
    assert await bench.store.send_queue.depth() == (0, 0.0)
