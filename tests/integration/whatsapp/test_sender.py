"""What becomes of a message on its way to the customer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from channel.bench import PHONE, Bench, now
from cluster.waiting import eventually
from pytake.application.ports import Committed, StatusReport
from pytake.domain.errors import Unavailable
from pytake.domain.ids import MessageId, OrganizationId
from pytake.domain.message import MessageType
from pytake.domain.status import MessageStatus
from pytake.store import Store
from pytake.whatsapp.sender import MAX_UNCONFIRMED

pytestmark = pytest.mark.integration


async def test_messages_of_a_conversation_leave_in_order(bench: Bench) -> None:
    conversation = await bench.conversation()
    bench.fault(busy=0.3)

    sent = [await bench.send(conversation.id, f"linha {n}") for n in range(12)]
    for message_id in sent:
        await bench.until_status(message_id, "read")

    arrived = sorted(bench.simulator.world.sent.values(), key=lambda s: s.accepted_at)
    assert [s.callback_data for s in arrived] == sent


async def test_a_message_that_can_never_arrive_fails_at_once_in_plain_words(bench: Bench) -> None:
    conversation = await bench.conversation()
    bench.simulator.world.faults = replace(
        bench.simulator.world.faults, refused=1.0, failure_codes=(131026,)
    )

    message_id = await bench.send(conversation.id)
    message = await bench.until_status(message_id, "failed")

    assert message.error is not None
    assert message.error["code"] == "whatsapp_131026"
    assert message.error["next_step"].startswith("Check the number")
    assert bench.accepted(message_id) == 0


async def test_a_failure_that_passes_is_tried_again_until_it_has_passed(bench: Bench) -> None:
    conversation = await bench.conversation()
    bench.fault(busy=1.0)
    message_id = await bench.send(conversation.id)
    await bench.until(message_id, lambda _: _attempts(bench, message_id) > 1, "a second attempt")

    bench.fault(busy=0.0)
    message = await bench.until_status(message_id, "read")

    assert message.error is None
    assert bench.accepted(message_id) == 1


async def test_a_lost_answer_is_shown_and_its_message_is_not_sent_twice(bench: Bench) -> None:
    conversation = await bench.conversation()
    bench.fault(lost_response=1.0)

    message_id = await bench.send(conversation.id)
    await bench.until_status(message_id, "read")

    async def left_the_queue() -> bool:
        return (await bench.store.send_queue.depth())[0] == 0

    await bench.until(message_id, lambda m: m.whatsapp_message_id is not None, "its id is known")
    await eventually(left_the_queue, "the queue is empty")
    assert bench.accepted(message_id) == 1


async def test_a_lost_request_is_unconfirmed_and_sent_once_more(bench: Bench) -> None:
    conversation = await bench.conversation()
    bench.fault(lost_request=1.0)
    message_id = await bench.send(conversation.id)
    shown = await bench.until(message_id, lambda m: m.error is not None, "the doubt is shown")

    bench.fault(lost_request=0.0)
    message = await bench.until_status(message_id, "read")

    assert shown.status == "pending"
    assert shown.error is not None
    assert shown.error["code"] == "unconfirmed"
    assert message.error is None
    assert bench.accepted(message_id) == 1


async def test_a_file_waits_as_long_as_the_storage_is_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await bench.conversation()
    media_id = await bench.file()
    tries: list[str] = []

    async def be_away(key: str) -> bytes:
        tries.append(key)
        raise Unavailable(detail="The storage of files is not available.")

    with monkeypatch.context() as away:
        away.setattr(bench.files, "get", be_away)
        message_id = await bench.send(conversation.id, {"media_id": media_id}, MessageType.IMAGE)
        # More tries than would make a message with a lost request *unconfirmed*.
        await eventually(lambda: len(tries) > MAX_UNCONFIRMED, "it was tried often", 30)
        waiting = await bench.message(message_id)
    message = await bench.until_status(message_id, "read")

    assert waiting.error is None
    assert message.error is None
    assert bench.accepted(message_id) == 1


async def test_a_file_is_uploaded_once_and_again_only_when_it_is_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await bench.conversation()
    content = {"media_id": await bench.file()}
    uploads: list[str] = []
    get = bench.files.get

    async def count(key: str) -> bytes:
        uploads.append(key)
        return await get(key)

    async def send_when_busy() -> MessageId:
        bench.fault(busy=1.0)
        sent = await bench.send(conversation.id, content, MessageType.IMAGE)
        await bench.until(sent, lambda _: _attempts(bench, sent) > 1, "a second attempt")
        return sent

    monkeypatch.setattr(bench.files, "get", count)
    first = await send_when_busy()
    bench.fault(busy=0.0)
    await bench.until_status(first, "read")
    uploads_at_first = len(uploads)
    second = await send_when_busy()
    bench.simulator.world.media.clear()
    bench.fault(busy=0.0)
    await bench.until_status(second, "read")

    assert (uploads_at_first, len(uploads)) == (1, 2)


async def test_a_file_that_is_refused_after_it_was_uploaded_again_fails(bench: Bench) -> None:
    conversation = await bench.conversation()
    faults = bench.simulator.world.faults
    bench.simulator.world.faults = replace(faults, refused=1.0, failure_codes=(131052,))

    content = {"media_id": await bench.file()}
    message_id = await bench.send(conversation.id, content, MessageType.IMAGE)
    message = await bench.until_status(message_id, "failed")

    assert message.error is not None
    assert message.error["code"] == "whatsapp_131052"
    assert _attempts(bench, message_id) == 2


async def test_what_stays_unanswered_twice_stays_unconfirmed(bench: Bench) -> None:
    conversation = await bench.conversation()
    bench.fault(lost_request=1.0)
    message_id = await bench.send(conversation.id)

    async def left_the_queue() -> bool:
        return (await bench.store.send_queue.depth())[0] == 0

    await eventually(left_the_queue, "it was given up", 20)
    message = await bench.message(message_id)
    assert message.status == "pending"
    assert message.error is not None
    assert message.error["code"] == "unconfirmed"
    assert _attempts(bench, message_id) == 2


async def test_a_number_that_is_signed_out_stops_keeps_its_queue_and_goes_on(bench: Bench) -> None:
    conversation = await bench.conversation()
    bench.simulator.world.number().access_token = "another token"
    first = await bench.send(conversation.id, "um")
    second = await bench.send(conversation.id, "dois")
    waiting = await bench.until(first, lambda m: m.error is not None, "the agent is told")

    async def is_stopped() -> bool:
        (channel,) = await bench.store.channels.channels(bench.organization)
        return not channel.is_active

    await eventually(is_stopped, "the number is stopped")
    await bench.store.channels.ensure_channel(
        bench.organization,
        name="Number",
        phone_number_id=bench.channel.phone_number_id,
        access_token="another token",
    )
    for message_id in (first, second):
        await bench.until(message_id, lambda m: m.status == "read", "it goes on")

    assert waiting.status == "pending"
    assert waiting.error is not None
    assert waiting.error["code"] == "channel_stopped"
    assert bench.accepted(first) == bench.accepted(second) == 1


async def test_a_message_whose_window_closes_in_the_queue_is_not_sent(
    bench: Bench, store: Store
) -> None:
    committed = await store.conversations.open_conversation(
        bench.organization,
        contact_name="Rui",
        phone="+5511911112222",
        channel_id=bench.channel.id,
        window_expires_at=None,
        now=now(),
    )

    message_id = await bench.send(committed.conversation.id)
    message = await bench.until_status(message_id, "failed")

    assert message.error is not None
    assert message.error["code"] == "whatsapp_131047"
    assert _attempts(bench, message_id) == 0


async def test_whatsapp_knows_better_when_the_window_is_closed(bench: Bench) -> None:
    conversation = await bench.conversation()
    faults = bench.simulator.world.faults
    bench.simulator.world.faults = replace(faults, refused=1.0, failure_codes=(131047,))

    message_id = await bench.send(conversation.id)
    await bench.until_status(message_id, "failed")
    (after,) = await bench.conversations()
    bench.customer_writes("ainda estou aqui")

    async def is_open_again() -> bool:
        (found,) = await bench.conversations()
        return found.window_expires_at is not None

    assert conversation.window_expires_at is not None
    assert after.window_expires_at is None
    await eventually(is_open_again, "the customer opened it anew")


async def test_a_template_may_leave_outside_the_window(bench: Bench, store: Store) -> None:
    committed = await store.conversations.open_conversation(
        bench.organization,
        contact_name="Rui",
        phone="+5511911112222",
        channel_id=bench.channel.id,
        window_expires_at=None,
        now=now(),
    )
    body = {"type": "body", "parameters": [{"type": "text", "text": "Rui"}]}
    content = {"name": "retomar_conversa", "language": "pt_BR", "components": [body]}

    message_id = await bench.send(committed.conversation.id, content, MessageType.TEMPLATE)

    await bench.until_status(message_id, "read")


async def test_the_reply_goes_to_the_number_that_whatsapp_uses(bench: Bench, store: Store) -> None:
    """The number was dialled with the ninth digit; the account is older than that."""
    bench.fault(old_number=1.0)
    committed = await store.conversations.open_conversation(
        bench.organization,
        contact_name="Clara",
        phone=f"+{PHONE}",
        channel_id=bench.channel.id,
        window_expires_at=None,
        now=now(),
    )

    written = bench.customer_writes("sou eu")

    async def has_arrived() -> bool:
        messages = await bench.messages(committed.conversation.id)
        return any(m.whatsapp_message_id == written for m in messages)

    await eventually(has_arrived, "the customer's message")
    message_id = await bench.send(committed.conversation.id)
    await bench.until_status(message_id, "read")

    (sent,) = bench.simulator.world.sent.values()
    assert sent.body["to"] == PHONE[:4] + PHONE[5:]
    assert len(await bench.conversations()) == 1


async def test_statuses_that_overtake_the_answer_find_their_message(bench: Bench) -> None:
    conversation = await bench.conversation()
    bench.fault(status_before_response=1.0)

    message_id = await bench.send(conversation.id)

    await bench.until_status(message_id, "read")
    assert bench.accepted(message_id) == 1


async def test_a_status_that_overtook_the_answer_survives_a_blink_of_the_store(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await bench.conversation()
    orphans, conversations = bench.store.orphans, bench.store.conversations
    look, report_status = orphans.waiting, conversations.report_status
    early: list[StatusReport] = []
    told: list[StatusReport] = []

    async def come_before_the_answer(
        organization: OrganizationId, whatsapp_message_id: str
    ) -> Sequence[StatusReport]:
        if not early:
            status = MessageStatus.DELIVERED
            early.append(
                StatusReport(organization, status, now(), whatsapp_message_id=whatsapp_message_id)
            )
            await orphans.put(early[0])
        return await look(organization, whatsapp_message_id)

    async def blink_once(report: StatusReport) -> Committed | None:
        if early and report == early[0]:
            told.append(report)
            if len(told) == 1:
                raise Unavailable
        return await report_status(report)

    monkeypatch.setattr(orphans, "waiting", come_before_the_answer)
    monkeypatch.setattr(conversations, "report_status", blink_once)
    message_id = await bench.send(conversation.id)
    await bench.until_status(message_id, "read")

    await eventually(lambda: len(told) == 2, "it was told again")
    assert bench.accepted(message_id) == 1


@pytest.mark.parametrize("reads_at_once", [0.0, 1.0])
async def test_no_status_ever_goes_back(bench: Bench, reads_at_once: float) -> None:
    conversation = await bench.conversation()
    bench.fault(
        read_without_delivered=reads_at_once, reorder=1.0, reorder_window=0.3, duplicate=1.0
    )

    message_id = await bench.send(conversation.id)
    await bench.until_status(message_id, "read")
    await bench.simulator.until_idle(within_seconds=10)

    assert (await bench.message(message_id)).status == "read"
    seen = [
        committed.message.status
        for committed in bench.announced
        if committed.message is not None and committed.message.id == message_id
    ]
    assert seen == sorted(seen, key=["pending", "sent", "failed", "delivered", "read"].index)


def _attempts(bench: Bench, message_id: str) -> int:
    return bench.simulator.attempts(message_id)
