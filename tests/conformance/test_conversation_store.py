"""`ConversationStore`: what is stored, once, in order, and by whom it may be changed."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from pytake.application.ports import ConversationChange, ReplayRequest, StatusReport
from pytake.domain.conversation import ConversationStatus
from pytake.domain.errors import Conflict, InvalidPayload, NotFound, StaleView
from pytake.domain.ids import MessageId, OrganizationId, UserId
from pytake.domain.message import Direction, SenderType
from pytake.domain.status import RANK, MessageStatus
from pytake.store import open_store
from store_world import World, new_id


async def test_a_message_its_number_and_its_event_are_stored_together(world: World) -> None:
    committed = await world.write("olá")

    assert committed.message is not None
    assert committed.message.seq == committed.conversation.last_seq == 1
    [event] = committed.events
    data = json.loads(event.data)
    assert (event.seq, event.name, data["seq"]) == (1, "message:new", 1)
    assert data["content"] == {"text": "olá"}
    replayed = await world.store.event_log.replay([ReplayRequest(world.conversation, 0, 10)])
    assert replayed[world.conversation] == [event]
    page = await world.store.conversations.messages(world.conversation, before_seq=None, limit=10)
    assert page.items == (committed.message,)


async def test_numbers_follow_each_other(world: World) -> None:
    for text in "abc":
        await world.write(text)

    assert await world.log() == [1, 2, 3]


async def test_events_carry_the_versions_and_the_trace_of_their_commit(world: World) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    committed = await world.write(traceparent=trace)

    [event] = committed.events
    assert (event.acl_version, event.organization_acl_version) == (1, 1)
    assert event.traceparent == trace


async def test_the_same_client_message_id_gives_the_same_message(world: World) -> None:
    first = await world.write("olá", client_message_id="c-1")
    again = await world.write("olá", client_message_id="c-1")

    assert first.is_new
    assert not again.is_new
    assert again.events == ()
    assert again.message == first.message
    assert await world.log() == [1]
    assert await world.head() == 1


async def test_the_same_client_message_id_with_other_content_is_a_conflict(world: World) -> None:
    await world.write("olá", client_message_id="c-1")

    with pytest.raises(Conflict):
        await world.write("tchau", client_message_id="c-1")

    assert await world.head() == 1


async def test_the_order_of_keys_makes_no_other_content(world: World) -> None:
    content = {"text": "olá", "preview_url": True}
    turned = dict(reversed(content.items()))

    first = await world.write(client_message_id="c-1", content=content)
    again = await world.write(client_message_id="c-1", content=turned)

    assert first.is_new
    assert not again.is_new


async def test_client_message_ids_of_two_senders_do_not_meet(world: World) -> None:
    await world.write("olá", client_message_id="c-1")
    other = await world.write("tchau", client_message_id="c-1", sender_id=world.bruno.user_id)

    assert other.is_new
    assert await world.log() == [1, 2]


async def test_twenty_retries_at_once_store_one_message(world: World) -> None:
    results = await asyncio.gather(
        *(world.write("olá", client_message_id="c-1") for _ in range(20))
    )

    assert sum(result.is_new for result in results) == 1
    assert len({result.message.id for result in results if result.message}) == 1
    assert await world.log() == [1]
    assert await world.head() == 1


async def test_an_unknown_conversation_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        await world.write(conversation_id=new_id())


async def test_a_foreign_organization_finds_nothing(world: World) -> None:
    stranger = OrganizationId(new_id())

    with pytest.raises(NotFound):
        await world.store.conversations.append_message(stranger, world.text())

    assert await world.log() == []


async def test_a_view_older_than_a_colleagues_message_is_stale(world: World) -> None:
    await world.write("um")
    await world.write("dois", sender_id=world.bruno.user_id)

    with pytest.raises(StaleView) as refused:
        await world.write("três", based_on_seq=1)

    assert [event.seq for event in refused.value.missing] == [2]
    assert await world.log() == [1, 2]


async def test_ones_own_later_message_does_not_make_a_view_stale(world: World) -> None:
    await world.write("um", sender_id=world.bruno.user_id)
    await world.write("dois")
    await world.write("três")

    committed = await world.write("quatro", based_on_seq=1)

    assert committed.conversation.last_seq == 4


async def test_a_status_does_not_make_a_view_stale(world: World) -> None:
    sent = await world.write("um")
    await _report(world, sent.message, MessageStatus.SENT)

    committed = await world.write("dois", based_on_seq=1, sender_id=world.ana.user_id)

    assert committed.conversation.last_seq == 3


async def test_a_retry_of_a_stored_message_is_never_stale(world: World) -> None:
    first = await world.write("olá", client_message_id="c-1", based_on_seq=0)
    await world.write("oi", sender_id=world.bruno.user_id)

    again = await world.write("olá", client_message_id="c-1", based_on_seq=0)

    assert again.message == first.message


async def test_a_customers_message_makes_contact_and_conversation(world: World) -> None:
    committed = await world.receive("oi")

    conversation, message = committed.conversation, committed.message
    assert message is not None
    assert (message.direction, message.sender_type) == (Direction.INBOUND, SenderType.CONTACT)
    assert conversation.contact.name == "Clara"
    assert conversation.contact.phone == "+5511988887777"
    assert conversation.channel_id == world.channel
    assert conversation.window_expires_at == world.clock() + timedelta(hours=24)
    assert (conversation.inbound_count, conversation.unread_count) == (1, 1)


async def test_a_customers_next_message_finds_the_conversation(world: World) -> None:
    first = await world.receive("oi")
    second = await world.receive("tudo bem?")

    assert second.conversation.id == first.conversation.id
    assert await world.log(first.conversation.id) == [1, 2]


async def test_one_of_several_names_is_enough_to_be_recognised(world: World) -> None:
    first = await world.receive(identifiers=(("phone", "551188887777"), ("bsuid", "BR.1")))
    second = await world.receive(
        identifiers=(("phone", "5511988887777"), ("phone", "551188887777"))
    )
    third = await world.receive(identifiers=(("bsuid", "BR.1"),))

    assert first.conversation.id == second.conversation.id == third.conversation.id


async def test_a_webhook_that_comes_twenty_times_at_once_is_one_message(world: World) -> None:
    inbound = world.inbound("oi")
    results = await asyncio.gather(
        *(world.store.conversations.receive_message(inbound) for _ in range(20))
    )

    assert sum(result.is_new for result in results) == 1
    conversation = results[0].conversation.id
    assert {result.conversation.id for result in results} == {conversation}
    assert await world.log(conversation) == [1]
    assert await world.head(conversation) == 1


async def test_the_window_never_shrinks(world: World) -> None:
    await world.receive(sent_at=world.clock())
    late = await world.receive(sent_at=world.clock() - timedelta(hours=2))

    assert late.conversation.window_expires_at == world.clock() + timedelta(hours=24)


async def test_a_customers_message_reopens_a_closed_conversation(world: World) -> None:
    conversation = (await world.receive()).conversation.id
    await _change(world, ConversationChange(status=ConversationStatus.CLOSED), conversation)

    committed = await world.receive("oi?")

    assert committed.conversation.status is ConversationStatus.OPEN
    assert [event.name for event in committed.events] == ["conversation:updated", "message:new"]
    assert await world.log(conversation) == [1, 2, 3, 4]


async def _history(world: World, days: int, **changes: Any) -> Any:
    long_ago = world.clock() - timedelta(days=days)
    return await world.receive(
        f"{days} days ago", sent_at=long_ago, is_history=True, opens_window=False, **changes
    )


async def test_history_stands_with_its_own_time_and_is_nobodys_news(world: World) -> None:
    first = await world.receive()
    conversation = first.conversation.id
    await _change(world, ConversationChange(status=ConversationStatus.CLOSED), conversation)
    before = await world.store.conversations.conversation(world.admin, conversation)

    theirs = await _history(world, 3, whatsapp_message_id="wamid.old")
    ours = await _history(world, 2, is_echo=True)
    again = await _history(world, 3, whatsapp_message_id="wamid.old")

    after = await world.store.conversations.conversation(world.admin, conversation)
    assert before is not None
    assert after is not None
    assert (after.status, after.unread_count) == (ConversationStatus.CLOSED, before.unread_count)
    assert after.window_expires_at == before.window_expires_at
    assert (after.updated_at, after.last_message) == (before.updated_at, first.message)
    assert theirs.conversation.last_message == first.message
    assert theirs.message.created_at == world.clock() - timedelta(days=3)
    assert (theirs.message.seq, ours.message.seq) == (3, 4)
    assert ours.message.direction is Direction.OUTBOUND
    assert not again.is_new
    assert await world.log(conversation) == [1, 2, 3, 4]


async def test_a_conversation_of_history_alone_lies_where_its_newest_message_does(
    world: World,
) -> None:
    for days in (30, 20, 40):
        committed = await _history(world, days)

    conversation = committed.conversation
    assert conversation.last_message is not None
    assert conversation.last_message.content["text"] == "20 days ago"
    assert conversation.updated_at == world.clock() - timedelta(days=20)
    assert conversation.window_expires_at is None
    assert (conversation.inbound_count, conversation.unread_count) == (0, 0)


async def test_history_makes_no_view_stale_and_no_address_to_reply_to(world: World) -> None:
    names = (("phone", "5511988887777"), ("phone", "551188887777"))
    conversation = (await world.receive(identifiers=names)).conversation.id
    await _history(world, 3, identifiers=names[::-1])

    committed = await world.write(conversation_id=conversation, based_on_seq=1)

    (due,) = await world.store.send_queue.due(world.channel, now=world.clock(), limit=9)
    assert committed.is_new
    assert due.recipient == names[0]


async def test_opening_a_conversation_again_returns_it_reopened(world: World) -> None:
    await _change(world, ConversationChange(status=ConversationStatus.CLOSED))

    again = await world.open()

    assert not again.is_new
    assert again.conversation.id == world.conversation
    assert again.conversation.status is ConversationStatus.OPEN


async def test_a_status_moves_up_and_is_told_once(world: World) -> None:
    message = (await world.write()).message

    sent = await _report(world, message, MessageStatus.SENT)
    twice = await _report(world, message, MessageStatus.SENT)

    assert sent is not None
    assert twice is not None
    [event] = sent.events
    data = json.loads(event.data)
    assert (event.name, data["status"], data["seq"]) == ("message:status", "sent", 2)
    assert twice.events == ()
    assert await world.log() == [1, 2]


async def test_statuses_in_any_order_end_as_read(world: World) -> None:
    message = (await world.write()).message

    for status in (MessageStatus.READ, MessageStatus.SENT, MessageStatus.DELIVERED):
        await _report(world, message, status)

    assert message is not None
    stored = await world.store.conversations.message(world.organization, message.id)
    assert stored is not None
    assert stored.status is MessageStatus.READ
    assert await world.log() == [1, 2]


async def test_an_error_is_shown_although_the_status_stays(world: World) -> None:
    message = (await world.write()).message
    error = {"code": "unconfirmed", "title": "?"}

    told = await _report(world, message, MessageStatus.PENDING, error=error)
    sent = await _report(world, message, MessageStatus.SENT)

    assert told is not None
    assert sent is not None
    assert json.loads(told.events[0].data)["error"] == error
    assert sent.message is not None
    assert sent.message.error is None


async def test_a_status_is_found_by_the_providers_id_once_that_is_known(world: World) -> None:
    message = (await world.write()).message
    await _report(world, message, MessageStatus.PENDING, whatsapp_message_id="wamid.1")

    report = StatusReport(
        world.organization, MessageStatus.SENT, world.clock(), whatsapp_message_id="wamid.1"
    )
    committed = await world.store.conversations.report_status(report)

    assert committed is not None
    assert committed.message is not None
    assert committed.message.status is MessageStatus.SENT


async def test_reports_to_two_pods_at_once_end_as_read(world: World, database_url: str) -> None:
    message = (await world.write()).message
    assert message is not None
    statuses = [MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ] * 3

    async with open_store(database_url, clock=world.clock) as other:
        await asyncio.gather(
            *(
                store.conversations.report_status(
                    StatusReport(world.organization, status, world.clock(), message_id=message.id)
                )
                for status in statuses
                for store in (world.store, other)
            )
        )

    stored = await world.store.conversations.message(world.organization, message.id)
    assert stored is not None
    assert stored.status is MessageStatus.READ
    log = await world.store.event_log.replay([ReplayRequest(world.conversation, 0, 100)])
    told = [json.loads(event.data)["status"] for event in log[world.conversation][1:]]
    assert told == sorted(set(told), key=lambda status: RANK[MessageStatus(status)])
    assert await world.store.upkeep.check_integrity() == []


async def test_a_providers_id_belongs_to_one_message(world: World) -> None:
    one, other = (await world.write()).message, (await world.write()).message
    await _report(world, one, MessageStatus.SENT, whatsapp_message_id="wamid.1")

    with pytest.raises(Conflict):
        await _report(world, other, MessageStatus.SENT, whatsapp_message_id="wamid.1")

    assert await world.log() == [1, 2, 3]


async def test_a_status_of_an_unknown_message_is_none(world: World) -> None:
    report = StatusReport(
        world.organization, MessageStatus.SENT, world.clock(), whatsapp_message_id="wamid.?"
    )

    assert await world.store.conversations.report_status(report) is None


async def test_an_assignment_raises_the_version_of_the_rights(world: World) -> None:
    change = ConversationChange(reassign=True, assigned_to=world.ana.user_id)
    committed = await _change(world, change)

    assert committed.conversation.assigned_to == world.ana.user_id
    assert committed.conversation.acl_version == 2
    assert committed.previous_assignee is None
    [event] = committed.events
    assert (event.name, event.acl_version) == ("conversation:updated", 2)


async def test_of_two_that_take_it_at_once_one_wins(world: World) -> None:
    async def take(user: UserId) -> bool:
        change = ConversationChange(reassign=True, assigned_to=user)
        try:
            await _change(world, change)
        except Conflict:
            return False
        return True

    won = await asyncio.gather(take(world.ana.user_id), take(world.bruno.user_id))

    assert sorted(won) == [False, True]
    assert await world.log() == [1]


async def test_a_change_to_what_it_is_stores_no_event(world: World) -> None:
    committed = await _change(world, ConversationChange(status=ConversationStatus.OPEN))

    assert committed.events == ()
    assert await world.head() == 0


async def test_nobody_of_another_organization_is_assigned(world: World) -> None:
    with pytest.raises(NotFound):
        await _change(world, ConversationChange(reassign=True, assigned_to=UserId(new_id())))


async def test_a_read_position_moves_up_only_and_at_most_to_the_head(world: World) -> None:
    conversation = (await world.receive("um")).conversation.id
    await world.receive("dois")
    await world.receive("três")

    async def read(seq: int) -> tuple[int, int, bool]:
        position = await world.store.conversations.mark_read(
            world.organization, world.ana.user_id, conversation, seq
        )
        return position.seq, position.unread_count, position.moved

    assert await read(2) == (2, 1, True)
    assert await read(1) == (2, 1, False)
    assert await read(99) == (3, 0, True)


async def test_unread_counts_are_each_users_own(world: World) -> None:
    conversation = (await world.receive("um")).conversation.id
    await world.store.conversations.mark_read(
        world.organization, world.ana.user_id, conversation, 1
    )
    shared = await world.receive("dois")

    reader = world.store.conversations
    for_ana = await reader.conversation(world.ana, conversation)
    for_bruno = await reader.conversation(world.bruno, conversation)

    assert for_ana is not None
    assert for_bruno is not None
    assert (for_ana.unread_count, for_bruno.unread_count) == (1, 2)
    assert shared.conversation.unread_count == 1


@pytest.mark.parametrize(
    "values",
    [
        {"client_message_id": "half of a pair: \ud800"},
        {"content": {"text": "half of a pair: \ud800"}},
        {"content": {"n": 10**30}},
    ],
    ids=["id", "text", "number"],
)
async def test_what_no_column_can_hold_is_refused(world: World, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayload):
        await world.write(**values)

    assert await world.log() == []


async def test_a_nul_is_stored_or_refused_and_never_breaks_anything(world: World) -> None:
    committed = await world.write("a\x00b")
    assert committed.message is not None
    with suppress(InvalidPayload):
        await world.write(client_message_id="a\x00b")
    with suppress(InvalidPayload):
        await world.open("+5511900000009", "Cl\x00ra")

    page = await world.store.conversations.messages(world.conversation, before_seq=None, limit=9)
    assert page.items[0].content == {"text": "a\x00b"}
    assert await world.store.upkeep.check_integrity() == []


async def test_a_read_position_beyond_all_numbers_is_the_head(world: World) -> None:
    await world.write()

    position = await world.store.conversations.mark_read(
        world.organization, world.ana.user_id, world.conversation, 10**30
    )

    assert position.seq == 1


async def test_fifty_writers_leave_no_hole(world: World) -> None:
    results = await asyncio.gather(*(world.write(str(number)) for number in range(50)))

    assert sorted(result.conversation.last_seq for result in results) == list(range(1, 51))
    assert await world.log() == list(range(1, 51))


async def _report(world: World, message: Any, status: MessageStatus, **changes: Any) -> Any:
    values: dict[str, Any] = {"message_id": MessageId(message.id)}
    report = StatusReport(world.organization, status, world.clock(), **(values | changes))
    return await world.store.conversations.report_status(report)


async def _change(world: World, change: ConversationChange, conversation: Any = None) -> Any:
    return await world.store.conversations.change_conversation(
        world.organization,
        conversation or world.conversation,
        change,
        expected_assignee=None,
        now=world.clock(),
    )
