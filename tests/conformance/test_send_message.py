"""`SendMessage` on each store: what a repeated request finds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pytake.application.files import Files
from pytake.application.ports import Committed
from pytake.application.send_message import Draft, SendMessage
from pytake.domain.errors import WindowClosed
from pytake.domain.message import MessageType
from pytake.domain.window import SAFETY_MARGIN
from pytake.media.object_store import ObjectStoreMediaFiles
from store_world import World


async def _announced(_: Committed) -> None:
    """Nobody listens."""


@pytest.fixture
def send(world: World, tmp_path: Path) -> SendMessage:
    store = world.store.conversations
    storage = ObjectStoreMediaFiles(f"file:{tmp_path}")
    files = Files(world.store.media, storage, store, world.clock)
    return SendMessage(store, store, _announced, world.clock, files)


def _draft(client_message_id: str) -> Draft:
    return Draft(MessageType.TEXT, {"text": "olá"}, client_message_id=client_message_id)


async def test_a_repeated_request_finds_its_message_after_the_window_has_closed(
    world: World, send: SendMessage
) -> None:
    conversation = (await world.receive("oi")).conversation.id
    first = await send(world.admin, conversation, _draft("k1"))
    world.clock.advance(timedelta(hours=25).total_seconds())

    again = await send(world.admin, conversation, _draft("k1"))

    assert again.message == first.message
    assert not again.is_new


async def test_a_new_message_is_refused_a_minute_before_the_window_closes(
    world: World, send: SendMessage
) -> None:
    conversation = (await world.receive("oi")).conversation.id
    almost = timedelta(hours=24) - SAFETY_MARGIN
    world.clock.advance(almost.total_seconds() - 1)
    await send(world.admin, conversation, _draft("k1"))
    world.clock.advance(1)

    with pytest.raises(WindowClosed):
        await send(world.admin, conversation, _draft("k2"))
