"""`NoteStore` and `CannedReplies`: what colleagues keep for each other, and customers never get."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from pytake.application.ports import ConversationChange, ConversationQuery, ReplayRequest
from pytake.domain.canned_reply import CannedReply
from pytake.domain.errors import Conflict, InvalidPayload, NotFound
from pytake.domain.ids import CannedReplyId, NoteId, OrganizationId
from store_world import World, new_id


async def _note(world: World, text: str = "liga depois das 18h", **changes: Any) -> Any:
    values: dict[str, Any] = {
        "note_id": NoteId(new_id()),
        "author_id": world.ana.user_id,
        "text": text,
        "now": world.clock(),
    }
    return await world.store.conversations.add_note(
        world.organization, world.conversation, **(values | changes)
    )


async def _label(world: World, *add: str, remove: tuple[str, ...] = ()) -> Any:
    return await world.store.conversations.change_conversation(
        world.organization,
        world.conversation,
        ConversationChange(add_labels=add, remove_labels=remove),
        expected_assignee=None,
        now=world.clock(),
    )


async def test_a_note_its_number_and_its_event_are_stored_together(world: World) -> None:
    await world.write()

    note, committed = await _note(world)

    [event] = committed.events
    assert (event.seq, event.name) == (2, "note:new")
    assert json.loads(event.data)["text"] == note.text
    assert await world.log() == [1, 2]
    page = await world.store.conversations.notes(world.conversation, before_seq=None, limit=9)
    assert page.items == (note,)
    assert await world.store.upkeep.check_integrity() == []


async def test_a_note_is_no_message_and_waits_in_no_queue(world: World) -> None:
    conversation = (await world.receive()).conversation
    before = await world.store.conversations.conversation(world.ana, conversation.id)
    assert before is not None

    note, _ = await world.store.conversations.add_note(
        world.organization,
        conversation.id,
        note_id=NoteId(new_id()),
        author_id=world.ana.user_id,
        text="paga sempre atrasado",
        now=world.clock.advance(60),
    )

    after = await world.store.conversations.conversation(world.ana, conversation.id)
    messages = await world.store.conversations.messages(conversation.id, before_seq=None, limit=9)
    assert after is not None
    assert note.text not in str(messages.items)
    assert after.last_message == before.last_message
    assert after.updated_at == before.updated_at
    assert await world.store.send_queue.depth() == (0, 0.0)
    # Who writes to the customer has not been overtaken by it.
    await world.write(conversation_id=conversation.id, based_on_seq=before.last_seq)


async def test_the_same_note_again_is_the_same_note(world: World) -> None:
    note_id = NoteId(new_id())
    first, _ = await _note(world, note_id=note_id)

    again, committed = await _note(world, note_id=note_id)

    assert again == first
    assert not committed.is_new
    assert committed.events == ()
    with pytest.raises(Conflict):
        await _note(world, "outra coisa", note_id=note_id)
    assert await world.log() == [1]


async def test_notes_come_in_pages_from_the_newest(world: World) -> None:
    notes = [(await _note(world, text))[0] for text in "abc"]

    newest = await world.store.conversations.notes(world.conversation, before_seq=None, limit=2)
    assert newest.next_cursor is not None
    rest = await world.store.conversations.notes(
        world.conversation, before_seq=int(newest.next_cursor), limit=2
    )

    assert (*rest.items, *newest.items) == tuple(notes)
    assert rest.next_cursor is None


async def test_a_note_that_is_taken_back_leaves_no_word(world: World) -> None:
    note, _ = await _note(world, "cartão 4111 1111 1111 1111")
    store = world.store.conversations

    removed = await store.remove_note(world.organization, note, now=world.clock())
    again = await store.remove_note(world.organization, note, now=world.clock())

    [event] = removed.events
    assert (event.seq, event.name) == (2, "note:removed")
    assert json.loads(event.data) == {
        "conversation_id": world.conversation,
        "id": note.id,
        "seq": 2,
    }
    assert again.events == ()
    log = await world.store.event_log.replay([ReplayRequest(world.conversation, 0, 9)])
    assert b"4111" not in b"".join(event.data for event in log[world.conversation])
    assert await store.note(world.conversation, note.id) is None


async def test_nobody_notes_in_another_organization(world: World) -> None:
    with pytest.raises(NotFound):
        await world.store.conversations.add_note(
            OrganizationId(new_id()),
            world.conversation,
            note_id=NoteId(new_id()),
            author_id=world.ana.user_id,
            text="?",
            now=world.clock(),
        )


async def test_labels_are_added_and_removed_by_name(world: World) -> None:
    await _label(world, "VIP ", "entrega")

    committed = await _label(world, "vip", "troca", remove=("Entrega",))

    assert committed.conversation.labels == ("troca", "vip")
    [event] = committed.events
    assert json.loads(event.data)["labels"] == ["troca", "vip"]
    assert (event.name, event.acl_version) == ("conversation:updated", 1)
    assert await world.store.conversations.label_names(world.organization) == ["troca", "vip"]


async def test_every_news_of_the_row_has_the_labels(world: World) -> None:
    await _label(world, "vip")

    written = await world.write()
    read = await world.store.conversations.conversation(world.ana, world.conversation)

    assert read is not None
    assert written.conversation.labels == read.labels == ("vip",)


async def test_two_who_label_at_once_do_not_undo_each_other(world: World) -> None:
    await asyncio.gather(_label(world, "vip"), _label(world, "troca"))

    found = await world.store.conversations.conversation(world.ana, world.conversation)
    assert found is not None
    assert found.labels == ("troca", "vip")


async def test_the_same_labels_again_are_no_event(world: World) -> None:
    await _label(world, "vip")

    assert (await _label(world, "vip")).events == ()


@pytest.mark.parametrize("label", ["", "  ", "x" * 41, "a\x00b", "a\u202eb"])
async def test_what_is_no_label_is_refused(world: World, label: str) -> None:
    with pytest.raises(InvalidPayload):
        await _label(world, label)

    assert await world.log() == []


async def test_a_conversation_has_at_most_twenty_labels(world: World) -> None:
    await _label(world, *(f"label {number}" for number in range(20)))

    with pytest.raises(InvalidPayload):
        await _label(world, "one more")


async def test_conversations_are_found_by_their_label(world: World) -> None:
    await world.open("+5511900000002", "Davi")
    await _label(world, "vip")

    found = await world.store.conversations.conversations(world.ana, ConversationQuery(label="VIP"))

    assert [each.id for each in found.items] == [world.conversation]


async def test_who_is_forgotten_takes_notes_and_labels_along(world: World) -> None:
    note, _ = await _note(world)
    await _label(world, "devedor")
    contact = (await world.open()).conversation.contact.id

    exported = await world.store.contacts.export(world.organization, contact)
    await world.store.contacts.erase(world.organization, contact)
    emptied = await world.store.contacts.export(world.organization, contact)

    assert exported is not None
    assert emptied is not None
    assert [each["text"] for each in exported["notes"]] == [note.text]
    assert exported["labels"] == [{"name": "devedor"}]
    assert (emptied["notes"], emptied["labels"]) == ([], [])
    log = await world.store.event_log.replay([ReplayRequest(world.conversation, 0, 9)])
    said = b"".join(event.data for event in log[world.conversation]).decode()
    assert note.text not in said
    assert "devedor" not in said
    row = await world.store.conversations.conversation(world.ana, world.conversation)
    assert row is not None
    assert row.labels == ()
    assert await world.log() == [1, 2]


def _reply(world: World, shortcut: str = "oi", text: str = "Olá!", **more: Any) -> CannedReply:
    values = {"id": CannedReplyId(new_id()), "organization_id": world.organization}
    return CannedReply(**(values | more), shortcut=shortcut, text=text)


async def test_canned_replies_are_kept_changed_and_removed(world: World) -> None:
    replies, now = world.store.canned_replies, world.clock()
    hello, wait = _reply(world), _reply(world, "aguarde", "Um instante.")
    await replies.put(hello, now=now)
    await replies.put(wait, now=now)

    await replies.put(_reply(world, "oi", "Olá, tudo bem?", id=hello.id), now=now)
    assert await replies.remove(world.organization, wait.id)
    assert not await replies.remove(world.organization, wait.id)

    [kept] = await replies.canned_replies(world.organization)
    assert (kept.id, kept.text) == (hello.id, "Olá, tudo bem?")


async def test_a_shortcut_stands_for_one_reply(world: World) -> None:
    replies, now = world.store.canned_replies, world.clock()
    await replies.put(_reply(world), now=now)
    other = _reply(world, "tchau", "Até logo.")
    await replies.put(other, now=now)

    for taken in (_reply(world), _reply(world, id=other.id)):
        with pytest.raises(Conflict):
            await replies.put(taken, now=now)

    assert len(await replies.canned_replies(world.organization)) == 2


async def test_canned_replies_of_two_organizations_do_not_meet(world: World) -> None:
    replies, now = world.store.canned_replies, world.clock()
    ours = _reply(world)
    await replies.put(ours, now=now)
    stranger = OrganizationId(new_id())

    await replies.put(_reply(world, text="deles", organization_id=stranger), now=now)

    assert not await replies.remove(stranger, ours.id)
    [kept] = await replies.canned_replies(world.organization)
    assert kept.text == ours.text
