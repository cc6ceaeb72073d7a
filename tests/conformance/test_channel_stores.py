"""What the WhatsApp channel keeps: deliveries, poison, statuses, queue, media, templates."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pytake.application.channel_ports import MediaRecord, NewsItem, QuarantinedItem, Template
from pytake.application.ports import ChannelChange, ReplayRequest, StatusReport
from pytake.domain.conversation import Conversation
from pytake.domain.errors import Conflict
from pytake.domain.ids import ChannelId, ContactId, ConversationId, OrganizationId
from pytake.domain.message import Direction, MessageType, SenderType
from pytake.domain.status import MessageStatus
from store_world import World, new_id

# --- webhooks in --------------------------------------------------------------------------


async def test_deliveries_come_back_as_they_were_signed_and_in_order(world: World) -> None:
    bodies = [b'{"n":1}\x00\xff', b'{"n":2}', b'{"n":3}']
    await world.store.webhooks.append([(bodies[0], "trace"), (bodies[1], None)], world.clock())
    await world.store.webhooks.append([(bodies[2], None)], world.clock())

    pending = await world.store.webhooks.pending(limit=10, max_bytes=1_000_000)

    assert [delivery.body for delivery in pending] == bodies
    assert pending[0].traceparent == "trace"
    assert pending[0].received_at == world.clock()


async def test_a_delivery_larger_than_the_limit_comes_alone(world: World) -> None:
    await world.store.webhooks.append([(b"x" * 100, None), (b"y", None)], world.clock())

    pending = await world.store.webhooks.pending(limit=10, max_bytes=10)

    assert [len(delivery.body) for delivery in pending] == [100]


async def test_what_is_done_is_gone(world: World) -> None:
    await world.store.webhooks.append([(b"1", None), (b"2", None)], world.clock())
    first, _ = await world.store.webhooks.pending(limit=10, max_bytes=100)
    world.clock.advance(3)

    await world.store.webhooks.done([first.id])

    assert [d.body for d in await world.store.webhooks.pending(limit=9, max_bytes=9)] == [b"2"]
    assert await world.store.webhooks.depth() == (1, 3.0)


async def test_poison_is_shown_to_its_organization_newest_first(world: World) -> None:
    def item(name: str, organization: OrganizationId | None) -> QuarantinedItem:
        return QuarantinedItem(name, organization, "why", {"n": name}, world.clock.advance(1))

    items = [item("a", world.organization), item("b", None), item("c", world.organization)]
    await world.store.quarantine.put(items)
    await world.store.quarantine.put(items)

    first = await world.store.quarantine.items(world.organization, cursor=None, limit=1)
    second = await world.store.quarantine.items(
        world.organization, cursor=first.next_cursor, limit=1
    )

    assert (first.items, second.items) == ((items[2],), (items[0],))
    assert second.next_cursor is None


async def test_a_status_waits_for_its_message_until_it_is_forgotten(world: World) -> None:
    orphans = world.store.orphans
    reports = [
        StatusReport(world.organization, status, world.clock(), whatsapp_message_id="wamid.1")
        for status in (MessageStatus.SENT, MessageStatus.READ)
    ]
    for report in reports:
        await orphans.put(report)

    await orphans.forget(OrganizationId(new_id()), "wamid.1")
    assert await orphans.waiting(OrganizationId(new_id()), "wamid.1") == []
    assert await orphans.waiting(world.organization, "wamid.1") == reports
    await orphans.forget(world.organization, "wamid.1")
    assert await orphans.waiting(world.organization, "wamid.1") == []


async def test_a_status_that_nobody_asks_for_is_dropped(world: World) -> None:
    report = StatusReport(
        world.organization, MessageStatus.SENT, world.clock(), whatsapp_message_id="wamid.1"
    )
    await world.store.orphans.put(report)

    assert await world.store.orphans.drop_before(world.clock()) == 0
    assert await world.store.orphans.drop_before(world.clock.advance(1)) == 1


# --- messages out -------------------------------------------------------------------------


async def _customer(world: World, phone: str = "5511988887777") -> ConversationId:
    return (await world.receive(identifiers=(("phone", phone),))).conversation.id


async def _due(world: World) -> list[str]:
    due = await world.store.send_queue.due(world.channel, now=world.clock(), limit=10)
    return [str(message.content["text"]) for message in due]


async def test_a_message_on_a_channel_is_queued_with_its_commit(world: World) -> None:
    conversation = await _customer(world)
    committed = await world.write("olá", conversation_id=conversation, traceparent="trace")

    [queued] = await world.store.send_queue.due(world.channel, now=world.clock(), limit=10)

    assert committed.message is not None
    assert queued.message_id == committed.message.id
    assert queued.recipient == ("phone", "5511988887777")
    assert queued.window_expires_at == world.clock() + timedelta(hours=24)
    assert (queued.attempts, queued.unconfirmed, queued.traceparent) == (0, 0, "trace")


async def test_without_a_channel_nothing_is_queued(world: World) -> None:
    await world.write("olá")

    assert await world.store.send_queue.depth() == (0, 0.0)


async def test_an_echo_of_the_phone_app_is_stored_as_sent_and_not_sent_again(world: World) -> None:
    committed = await world.receive("do celular", is_echo=True, opens_window=False)

    message = committed.message
    assert message is not None
    assert (message.direction, message.sender_type) == (Direction.OUTBOUND, SenderType.AGENT)
    assert message.status is MessageStatus.SENT
    assert committed.conversation.window_expires_at is None
    assert committed.conversation.inbound_count == 0
    assert await world.store.send_queue.depth() == (0, 0.0)


async def test_only_the_oldest_message_of_a_conversation_is_due(world: World) -> None:
    one, other = await _customer(world), await _customer(world, "5511977776666")
    for text in ("1a", "1b"):
        await world.write(text, conversation_id=one)
    world.clock.advance(1)
    await world.write("2a", conversation_id=other)

    assert await _due(world) == ["1a", "2a"]
    [first, _] = await world.store.send_queue.due(world.channel, now=world.clock(), limit=10)
    await world.store.send_queue.finish([first.message_id])

    assert await _due(world) == ["1b", "2a"]


async def test_each_number_sends_what_waits_for_it_alone(world: World) -> None:
    other = await _number(world)
    for customer in ("1", "2", "3"):
        here = await _customer(world, f"551197777666{customer}")
        await world.write(f"here {customer}", conversation_id=here)
        phone = (("phone", f"551198888666{customer}"),)
        there = (await world.receive(channel_id=other, identifiers=phone)).conversation.id
        await world.write(f"there {customer}", conversation_id=there)
        world.clock.advance(1)

    assert await _due(world) == ["here 1", "here 2", "here 3"]
    of_other = await world.store.send_queue.due(other, now=world.clock(), limit=2)
    assert [each.content["text"] for each in of_other] == ["there 1", "there 2"]
    assert await world.store.send_queue.due(ChannelId(new_id()), now=world.clock(), limit=9) == []


async def test_a_postponed_message_holds_back_what_follows(world: World) -> None:
    conversation = await _customer(world)
    for text in "ab":
        await world.write(text, conversation_id=conversation)
    [first] = await world.store.send_queue.due(world.channel, now=world.clock(), limit=10)

    await world.store.send_queue.postpone(
        first.message_id, until=world.clock() + timedelta(seconds=5)
    )

    assert await _due(world) == []
    world.clock.advance(5)
    assert await _due(world) == ["a"]


async def test_an_attempt_without_an_answer_is_seen_by_who_comes_next(world: World) -> None:
    conversation = await _customer(world)
    await world.write("a", conversation_id=conversation)
    queue = world.store.send_queue
    [first] = await queue.due(world.channel, now=world.clock(), limit=10)

    await queue.begin([first.message_id], due_again=world.clock() + timedelta(seconds=30))
    assert await _due(world) == []
    world.clock.advance(30)
    [again] = await queue.due(world.channel, now=world.clock(), limit=10)
    assert (again.attempts, again.unconfirmed) == (1, 1)

    await queue.postpone(first.message_id, until=world.clock())
    [answered] = await queue.due(world.channel, now=world.clock(), limit=10)
    assert (answered.attempts, answered.unconfirmed) == (1, 0)


async def test_a_sender_is_woken_by_a_message(world: World) -> None:
    conversation = await _customer(world)
    wake_ups = world.store.send_queue.wake_ups()
    waiting = asyncio.ensure_future(anext(wake_ups))
    await asyncio.sleep(0)

    await world.write("a", conversation_id=conversation)

    async with asyncio.timeout(2):
        await waiting


# --- numbers, leases, contacts ------------------------------------------------------------


async def test_a_number_is_a_channel_of_one_organization(world: World) -> None:
    channels = world.store.channels
    values: Any = {"name": "Suporte", "phone_number_id": "106", "access_token": "t1"}
    created = await channels.create_channel(world.organization, **values)

    with pytest.raises(Conflict):
        await channels.create_channel(world.organization, **values)
    with pytest.raises(Conflict):
        await channels.ensure_channel(OrganizationId(new_id()), **values)

    assert await channels.channel_by_phone_number_id("106") == created
    assert await channels.channel_by_phone_number_id("107") is None
    assert await channels.channels(world.organization) == [created]
    assert await channels.access_token(created.id) == "t1"


async def test_a_new_token_starts_a_stopped_channel(world: World) -> None:
    channels = world.store.channels
    values = {"name": "Suporte", "phone_number_id": "106"}
    created = await channels.ensure_channel(world.organization, access_token="t1", **values)

    assert await channels.stop_channel(created.id, "token expired") is True
    assert await channels.stop_channel(created.id, "token expired") is False
    assert await channels.active_channels() == []
    await channels.ensure_channel(world.organization, access_token="t1", **values)
    assert await channels.active_channels() == []
    await channels.ensure_channel(world.organization, access_token="t2", **values)

    assert [channel.id for channel in await channels.active_channels()] == [created.id]
    assert await channels.access_token(created.id) == "t2"


async def test_a_lease_has_one_holder_until_it_is_given_back(world: World) -> None:
    leases = world.store.leases

    assert await leases.acquire("sender", "one", seconds=60)
    assert await leases.acquire("sender", "one", seconds=60)
    assert not await leases.acquire("sender", "two", seconds=60)
    await leases.release("sender", "two")
    assert not await leases.acquire("sender", "two", seconds=60)
    await leases.release("sender", "one")
    assert await leases.acquire("sender", "two", seconds=60)


async def test_a_lease_that_ran_out_is_free(world: World) -> None:
    assert await world.store.leases.acquire("sender", "one", seconds=-1)
    assert await world.store.leases.acquire("sender", "two", seconds=60)


async def test_the_address_that_whatsapp_gave_is_the_one_to_reply_to(world: World) -> None:
    committed = await world.receive(identifiers=(("phone", "5511988887777"),))
    conversation = committed.conversation
    await world.store.contacts.learn_identifier(
        world.organization, conversation.contact.id, "phone", "551188887777"
    )
    await world.write("olá", conversation_id=conversation.id)

    [queued] = await world.store.send_queue.due(world.channel, now=world.clock(), limit=1)
    same = await world.receive(identifiers=(("phone", "551188887777"),))

    assert queued.recipient == ("phone", "551188887777")
    assert same.conversation.id == conversation.id


async def test_a_name_that_belongs_to_somebody_else_stays_there(world: World) -> None:
    one = (await world.receive(identifiers=(("phone", "551111"),))).conversation
    other = (await world.receive(identifiers=(("phone", "552222"),))).conversation

    await world.store.contacts.learn_identifier(
        world.organization, one.contact.id, "phone", "552222"
    )
    await world.write("olá", conversation_id=one.id)

    [queued] = await world.store.send_queue.due(world.channel, now=world.clock(), limit=1)
    assert queued.recipient == ("phone", "551111")
    again = await world.receive(identifiers=(("phone", "552222"),))
    assert again.conversation.id == other.id


async def test_what_is_kept_of_a_contact_can_be_exported(world: World) -> None:
    conversation = (await world.receive("segredo")).conversation
    contacts = world.store.contacts

    exported = await contacts.export(world.organization, conversation.contact.id)

    assert exported is not None
    assert exported["phone"] == "+5511988887777"
    assert [message["content"] for message in exported["messages"]] == [{"text": "segredo"}]
    assert await contacts.export(OrganizationId(new_id()), conversation.contact.id) is None


async def test_an_erased_contact_leaves_numbers_and_no_words(world: World) -> None:
    conversation = (await world.receive("segredo")).conversation
    await world.write("segredo", conversation_id=conversation.id)
    record = _media(world, conversation_id=conversation.id, storage_key="key-1")
    await world.store.media.add(record, now=world.clock())

    keys = await world.store.contacts.erase(world.organization, conversation.contact.id)

    assert keys == ["key-1"]
    log = await world.store.event_log.replay([ReplayRequest(conversation.id, 0, 10)])
    assert [event.seq for event in log[conversation.id]] == [1, 2]
    assert not any(b"segredo" in event.data for event in log[conversation.id])
    page = await world.store.conversations.messages(conversation.id, before_seq=None, limit=9)
    assert [dict(message.content) for message in page.items] == [{"erased": True}] * 2
    assert await world.store.contacts.erase(world.organization, ContactId(new_id())) is None
    returned = await world.receive("oi")
    assert returned.conversation.id != conversation.id


async def test_files_that_agents_sent_are_erased_unless_another_customer_has_them(
    world: World,
) -> None:
    async def upload(key: str) -> dict[str, str]:
        record = _media(world, channel_id=None, storage_key=key)
        await world.store.media.add(record, now=world.clock())
        return {"media_id": record.id, "filename": f"{key}.pdf"}

    async def send(file: dict[str, str], conversation: Conversation) -> None:
        kind = MessageType.DOCUMENT
        await world.write(conversation_id=conversation.id, message_type=kind, content=file)

    customer = (await world.receive("oi")).conversation
    other = (await world.open("+5511900000077")).conversation
    contract, price_list, never_sent = [await upload(key) for key in ("contract", "prices", "no")]
    await send(contract, customer)
    await send(contract, customer)
    await send(price_list, customer)
    await send(price_list, other)

    keys = await world.store.contacts.erase(world.organization, customer.contact.id)

    assert keys == ["contract"]
    assert await world.store.media.media(contract["media_id"]) is None
    assert await world.store.media.media(price_list["media_id"]) is not None
    assert await world.store.media.media(never_sent["media_id"]) is not None


async def test_a_file_of_another_organization_outlives_the_erasure(world: World) -> None:
    foreign = _media(world, organization_id=OrganizationId(new_id()), storage_key="theirs")
    await world.store.media.add(foreign, now=world.clock())
    conversation = (await world.receive("oi")).conversation
    await world.write(
        conversation_id=conversation.id,
        message_type=MessageType.DOCUMENT,
        content={"media_id": foreign.id},
    )

    assert await world.store.contacts.erase(world.organization, conversation.contact.id) == []
    assert await world.store.media.media(foreign.id) is not None


# --- media and templates ------------------------------------------------------------------


def _media(world: World, **changes: Any) -> MediaRecord:
    record = MediaRecord(new_id(), world.organization, world.channel, "image/jpeg")
    return replace(record, **changes)


async def test_a_file_is_fetched_when_its_time_has_come(world: World) -> None:
    media = world.store.media
    record = _media(world, provider_id="9001")
    await media.add(record, now=world.clock())
    await media.add(_media(world), now=world.clock())

    assert await media.to_fetch(now=world.clock(), limit=9) == [record]
    await media.postpone(record.id, until=world.clock() + timedelta(seconds=5))
    assert await media.to_fetch(now=world.clock(), limit=9) == []
    world.clock.advance(5)
    [again] = await media.to_fetch(now=world.clock(), limit=9)
    assert again.attempts == 1
    done = replace(again, storage_key="key", size=3)
    await media.change(done)

    assert await media.to_fetch(now=world.clock(), limit=9) == []
    assert await media.media(record.id) == done
    assert await media.media(new_id()) is None


async def test_the_list_of_templates_is_replaced_as_a_whole(world: World) -> None:
    def template(name: str, channel: ChannelId) -> Template:
        parts = [{"type": "BODY", "text": "Olá {{1}}"}]
        return Template(world.organization, channel, name, "pt_BR", "APPROVED", "UTILITY", parts)

    other = ChannelId(new_id())
    templates = world.store.templates
    await templates.replace(world.channel, [template("a", world.channel)])
    await templates.replace(other, [template("z", other)])
    await templates.replace(world.channel, [template("b", world.channel)])
    await templates.change_status(world.organization, "b", "pt_BR", "PAUSED")

    found = await templates.templates(world.organization)

    assert [(item.name, item.status) for item in found] == [("b", "PAUSED"), ("z", "APPROVED")]
    assert await templates.template(world.organization, "z", "pt_BR") == template("z", other)
    assert await templates.template(world.organization, "a", "pt_BR") is None


# --- what WhatsApp tells beside messages --------------------------------------------------


async def test_each_status_keeps_its_first_time_and_implied_ones_are_marked(world: World) -> None:
    """A late report of a status that was passed changes times alone: nothing is told."""
    await world.receive()
    conversation = (await world.receive("?")).conversation
    written = await world.write("olá", conversation_id=conversation.id)
    assert written.message is not None
    message_id, began = written.message.id, world.clock()

    async def report(status: MessageStatus, seconds: float) -> int:
        committed = await world.store.conversations.report_status(
            StatusReport(
                world.organization,
                status,
                began + timedelta(seconds=seconds),
                message_id=message_id,
                whatsapp_message_id="wamid.times",
            )
        )
        assert committed is not None
        return len(committed.events)

    told = [await report(MessageStatus.READ, 9)]
    told.append(await report(MessageStatus.DELIVERED, 4))
    told.append(await report(MessageStatus.DELIVERED, 5))
    message = await world.store.conversations.message(world.organization, message_id)

    assert told == [1, 0, 0]
    assert message is not None
    assert message.status_times is not None
    assert message.status_times.at == {
        MessageStatus.SENT: began + timedelta(seconds=9),
        MessageStatus.DELIVERED: began + timedelta(seconds=4),
        MessageStatus.READ: began + timedelta(seconds=9),
    }
    assert message.status_times.implied == {MessageStatus.SENT}
    assert message.sent_at == began + timedelta(seconds=9)


async def test_reports_at_the_same_moment_lose_none_of_their_times(world: World) -> None:
    conversation = (await world.receive()).conversation
    written = await world.write("olá", conversation_id=conversation.id)
    assert written.message is not None
    ways = (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ)
    reports = [
        StatusReport(
            world.organization,
            status,
            world.clock() + timedelta(seconds=n),
            message_id=written.message.id,
        )
        for n, status in enumerate(ways)
    ]

    await asyncio.gather(*(world.store.conversations.report_status(each) for each in reports))

    message = await world.store.conversations.message(world.organization, written.message.id)
    assert message is not None
    assert message.status_times is not None
    assert message.status_times.at == {each.status: each.reported_at for each in reports}
    assert message.status_times.implied == set()


async def test_the_newest_choice_about_marketing_counts(world: World) -> None:
    conversation = (await world.receive()).conversation
    contact, began = conversation.contact.id, world.clock()

    async def choose(seconds: float, *, is_wanted: bool) -> list[ConversationId]:
        return list(
            await world.store.contacts.choose_marketing(
                world.organization,
                contact,
                is_wanted=is_wanted,
                chosen_at=began + timedelta(seconds=seconds),
            )
        )

    async def opted_out_at() -> Any:
        [found] = await world.store.conversations.shared([conversation.id])
        return found.contact.marketing_opt_out_at

    assert await choose(10, is_wanted=False) == [conversation.id]
    assert await opted_out_at() == began + timedelta(seconds=10)
    assert await choose(20, is_wanted=False) == []
    assert await choose(30, is_wanted=True) == [conversation.id]
    assert await choose(15, is_wanted=False) == []
    assert await opted_out_at() is None
    contacts = world.store.contacts
    others = OrganizationId(new_id())
    assert not await contacts.choose_marketing(
        others, contact, is_wanted=False, chosen_at=world.clock() + timedelta(days=1)
    )


async def test_what_is_queued_knows_that_the_customer_wants_no_marketing(world: World) -> None:
    conversation = (await world.receive()).conversation
    await world.write("olá", conversation_id=conversation.id)
    await world.store.contacts.choose_marketing(
        world.organization, conversation.contact.id, is_wanted=False, chosen_at=world.clock()
    )

    [queued] = await world.store.send_queue.due(world.channel, now=world.clock(), limit=1)

    assert queued.wants_no_marketing


async def test_a_contact_is_found_by_any_of_its_names(world: World) -> None:
    names = (("phone", "5511988887777"), ("bsuid", "BR.1"))
    contact = (await world.receive(identifiers=names)).conversation.contact.id
    contacts = world.store.contacts

    await contacts.learn_identifier(
        world.organization, contact, "bsuid", "BR.2", is_reply_address=False
    )
    await world.write(conversation_id=(await world.receive()).conversation.id)

    [queued] = await world.store.send_queue.due(world.channel, now=world.clock(), limit=1)
    assert queued.recipient == ("phone", "5511988887777")
    for name in (*names, ("bsuid", "BR.2")):
        assert await contacts.contact_named(world.organization, [("bsuid", "?"), name]) == contact
    assert await contacts.contact_named(OrganizationId(new_id()), names) is None
    assert await contacts.contact_named(world.organization, []) is None


async def test_news_are_kept_once_and_shown_newest_first(world: World) -> None:
    def item(name: str, organization: OrganizationId) -> NewsItem:
        return NewsItem(
            name, organization, world.channel, "security", {"n": name}, world.clock.advance(1)
        )

    items = [item(name, world.organization) for name in "abc"]
    for each in (*items, items[0], item("z", OrganizationId(new_id()))):
        await world.store.news.put(each)

    first = await world.store.news.items(world.organization, cursor=None, limit=2)
    rest = await world.store.news.items(world.organization, cursor=first.next_cursor, limit=2)

    assert [*first.items, *rest.items] == items[::-1]
    assert await world.store.news.drop_before(items[2].received_at) == 2


async def _number(world: World, *, read_marks: bool = False, typing: bool = False) -> ChannelId:
    made = await world.store.channels.create_channel(
        world.organization,
        name="Number",
        phone_number_id=new_id(),
        access_token="token",
        sends_read_marks=read_marks,
        sends_typing=typing,
    )
    return made.id


async def test_what_whatsapp_says_of_a_number_is_kept(world: World) -> None:
    channels, channel = world.store.channels, await _number(world)
    facts = {"account_id": "77", "display_phone_number": "+55 11 3000-0000", "other": "x"}
    await channels.note_facts(channel, facts)
    await channels.note_facts(channel, {"quality_rating": "GREEN"})
    await channels.note_facts(channel, {})

    found = await channels.channel_of_account("77", "551130000000")

    assert found is not None
    assert (found.id, found.account_id, found.quality_rating) == (channel, "77", "GREEN")
    assert await channels.channel_of_account("77") == found
    assert await channels.channel_of_account("78") is None


async def test_a_number_is_changed_by_its_own_organization(world: World) -> None:
    channels, channel = world.store.channels, await _number(world)
    await channels.stop_channel(channel, "190: signed out")
    opt_in = ChannelChange(name="Loja", sends_read_marks=True)

    [before] = await channels.channels(world.organization)
    changed = await channels.change_channel(world.organization, channel, opt_in)
    started = await channels.change_channel(
        world.organization, channel, ChannelChange(access_token="new")
    )

    assert before.stopped_because == "190: signed out"
    assert changed is not None
    assert (changed.name, changed.sends_read_marks) == ("Loja", True)
    assert not changed.is_active
    assert not changed.sends_typing
    assert started is not None
    assert started.is_active
    assert started.stopped_because is None
    assert await channels.access_token(channel) == "new"
    assert await channels.change_channel(OrganizationId(new_id()), channel, opt_in) is None


@pytest.mark.parametrize("is_typing", [True, False])
async def test_signs_are_kept_only_for_numbers_that_want_them(
    world: World, *, is_typing: bool
) -> None:
    channel = await _number(world, typing=not is_typing, read_marks=is_typing)
    conversation = (await world.receive(channel_id=channel)).conversation

    await world.store.signs.ask(conversation.id, 9, is_typing=is_typing, now=world.clock())

    assert await world.store.signs.take(channel, limit=9) == []


async def test_old_messages_are_given_no_sign(world: World) -> None:
    channel = await _number(world, read_marks=True)
    old: dict[str, Any] = {"channel_id": channel, "is_history": True, "opens_window": False}

    async def sign_up_to(seq: int) -> list[str]:
        await world.store.signs.ask(conversation, seq, is_typing=False, now=world.clock())
        return [each.whatsapp_message_id for each in await world.store.signs.take(channel, limit=9)]

    conversation = (await world.receive(**old)).conversation.id
    before = await sign_up_to(1)
    await world.receive(channel_id=channel, whatsapp_message_id="wamid.new")
    await world.receive(**old)

    assert before == []
    assert await sign_up_to(3) == ["wamid.new"]


async def test_one_sign_a_conversation_waits_and_is_given_once(world: World) -> None:
    signs = world.store.signs
    channel = await _number(world, read_marks=True, typing=True)

    async def receive(name: str, **changes: Any) -> ConversationId:
        given = {"channel_id": channel, "whatsapp_message_id": f"wamid.{name}"} | changes
        return (await world.receive(**given)).conversation.id

    for name in ("um", "dois", "três"):
        conversation = await receive(name)
    await receive("r", message_type=MessageType.REACTION, content={"emoji": "👍"})

    async def ask(seq: int, *, is_typing: bool = False) -> None:
        await signs.ask(conversation, seq, is_typing=is_typing, now=world.clock())

    async def taken() -> list[tuple[str, bool]]:
        found = await signs.take(channel, limit=9)
        return [(each.whatsapp_message_id, each.is_typing) for each in found]

    await ask(1)
    await ask(2)
    assert await taken() == [("wamid.dois", False)]
    assert await taken() == []
    await ask(2)
    assert await taken() == []
    await ask(2**62, is_typing=True)
    await ask(4)
    assert await taken() == [("wamid.três", True)]
    await ask(2**62, is_typing=True)
    assert await taken() == [("wamid.três", True)]
