"""WhatsApp numbers over REST: what admins see of them, and what they choose."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytake.application.channel_ports import NewsItem
from pytake.domain.ids import ChannelId, OrganizationId
from rest.server import RestServer, rest_server

pytestmark = pytest.mark.integration

NUMBER = {"name": "Loja", "phone_number_id": "1065", "access_token": "a secret token"}


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[RestServer]:
    async with rest_server(tmp_path) as server:
        yield server


async def test_customers_see_nothing_of_agents_unless_an_admin_wants_it(rest: RestServer) -> None:
    admin = await rest.person("admin")
    channel = (await admin.post("/channels", NUMBER)).json()
    path = f"/channels/{channel['id']}"

    changed = await admin.patch(path, {"sends_read_marks": True})
    typing = await admin.patch(path, {"sends_typing": True, "name": "Loja 2"})

    assert (channel["sends_read_marks"], channel["sends_typing"]) == (False, False)
    assert (changed.status_code, changed.json()["sends_read_marks"]) == (200, True)
    assert typing.json()["name"] == "Loja 2"
    assert typing.json()["sends_read_marks"]
    assert typing.json()["sends_typing"]
    assert "a secret token" not in typing.text


async def test_a_new_token_starts_a_number_that_was_stopped(rest: RestServer) -> None:
    admin = await rest.person("admin")
    channel = (await admin.post("/channels", NUMBER)).json()
    await rest.store.channels.stop_channel(ChannelId(channel["id"]), "190: signed out")
    [stopped] = (await admin.get("/channels")).json()["items"]

    started = (await admin.patch(f"/channels/{channel['id']}", {"access_token": "new"})).json()

    assert (stopped["active"], stopped["stopped_because"]) == (False, "190: signed out")
    assert (started["active"], started["stopped_because"]) == (True, None)


@pytest.mark.parametrize(
    "body", [{"name": ""}, {"sends_typing": "perhaps"}, {"access_token": 7}, []]
)
async def test_a_change_without_sense_is_refused(rest: RestServer, body: Any) -> None:
    admin = await rest.person("admin")
    channel = (await admin.post("/channels", NUMBER)).json()

    answer = await admin.patch(f"/channels/{channel['id']}", body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_payload")


async def test_news_are_read_page_by_page(rest: RestServer) -> None:
    admin = await rest.person("admin")
    began = datetime(2026, 11, 22, 12, tzinfo=UTC)
    for number in range(3):
        await rest.store.news.put(
            NewsItem(
                id=str(number),
                organization_id=OrganizationId(admin.organization_id),
                channel_id=None,
                kind="phone_number_quality_update",
                details={"event": "FLAGGED", "n": number},
                received_at=began + timedelta(minutes=number),
            )
        )

    first = (await admin.get("/channels/news", limit=2)).json()
    rest_of_it = (await admin.get("/channels/news", cursor=first["next_cursor"])).json()

    assert [each["details"]["n"] for each in first["items"]] == [2, 1]
    assert [each["details"]["n"] for each in rest_of_it["items"]] == [0]
    assert first["items"][0]["kind"] == "phone_number_quality_update"
