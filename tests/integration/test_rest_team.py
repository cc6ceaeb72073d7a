"""Notes, labels and canned replies over REST: kept, told to colleagues, never to customers."""

from pathlib import Path
from uuid import uuid4

import pytest

from rest.server import rest_server

pytestmark = pytest.mark.integration


async def test_a_note_is_kept_and_told_to_who_has_the_conversation_open(tmp_path: Path) -> None:
    async with rest_server(tmp_path) as rest:
        ana = await rest.person()
        conversation = await ana.opens_conversation()
        path = f"/conversations/{conversation['id']}/notes"
        body = {"text": "prefere boleto", "id": str(uuid4())}

        written = await ana.post(path, body)
        again = await ana.post(path, body)
        listed = await ana.get(path)
        messages = await ana.get(f"/conversations/{conversation['id']}/messages")
        events = await ana.get(f"/conversations/{conversation['id']}/events")

    assert (written.status_code, again.status_code) == (201, 200)
    assert written.json() == again.json() == listed.json()["items"][0]
    assert written.json()["author_id"] == ana.user_id
    assert messages.json()["items"] == []
    assert [(each["seq"], each["event"]) for each in events.json()["items"]] == [(1, "note:new")]
    assert [event.name for event in rest.heard.events] == ["note:new"]
    said = [notice for notice in rest.heard.notices if "boleto" in str(notice)]
    assert said == [], "lists do not hear the text of a note"


async def test_a_note_is_removed_by_its_author_or_an_admin(tmp_path: Path) -> None:
    async with rest_server(tmp_path) as rest:
        ana, bruno, admin = [await rest.person(), await rest.person(), await rest.person("admin")]
        conversation = await ana.opens_conversation()
        path = f"/conversations/{conversation['id']}/notes"
        notes = [(await ana.post(path, {"text": text})).json()["id"] for text in "ab"]

        refused = await bruno.call("DELETE", f"{path}/{notes[0]}")
        own = await ana.call("DELETE", f"{path}/{notes[0]}")
        admins = await admin.call("DELETE", f"{path}/{notes[1]}")
        twice = await ana.call("DELETE", f"{path}/{notes[0]}")
        left = await ana.get(path)

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert [own.status_code, admins.status_code, twice.status_code] == [204, 204, 404]
    assert left.json()["items"] == []


async def test_labels_are_changed_and_found(tmp_path: Path) -> None:
    async with rest_server(tmp_path) as rest:
        ana = await rest.person()
        conversation = await ana.opens_conversation()
        await ana.opens_conversation("+5511912345678")
        path = f"/conversations/{conversation['id']}"

        added = await ana.patch(path, {"add_labels": ["VIP", "troca"]})
        removed = await ana.patch(path, {"remove_labels": ["troca"]})
        refused = await ana.patch(path, {"add_labels": ["x" * 41]})
        found = await ana.get("/conversations", label="vip")
        names = await ana.get("/labels")

    assert added.json()["labels"] == ["troca", "vip"]
    assert removed.json()["labels"] == ["vip"]
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_payload")
    assert [row["id"] for row in found.json()["items"]] == [conversation["id"]]
    assert names.json()["items"] == [{"name": "vip"}]
    rows = [data for _, event, data in rest.heard.notices if event == "inbox:updated"]
    assert rows[-1]["conversation"]["labels"] == ["vip"]


async def test_canned_replies_are_the_organizations(tmp_path: Path) -> None:
    async with rest_server(tmp_path) as rest:
        ana, bruno = await rest.person(), await rest.person()
        stranger = await rest.person("admin", organization_id=str(uuid4()))

        made = await ana.post("/canned-replies", {"shortcut": "Oi", "text": "Olá!"})
        taken = await bruno.post("/canned-replies", {"shortcut": "oi", "text": "Opa"})
        path = f"/canned-replies/{made.json()['id']}"
        changed = await bruno.patch(path, {"text": "Olá, tudo bem?"})
        listed = await ana.get("/canned-replies")
        foreign = await stranger.get("/canned-replies")
        gone = [await bruno.call("DELETE", path) for _ in range(2)]

    assert (made.status_code, taken.status_code) == (201, 409)
    assert made.json()["shortcut"] == "oi"
    assert listed.json()["items"] == [changed.json()]
    assert foreign.json()["items"] == []
    assert [answer.status_code for answer in gone] == [204, 404]
    heard = [
        (rooms, data) for rooms, event, data in rest.heard.notices if event.startswith("canned")
    ]
    assert {rooms for rooms, _ in heard} == {(f"organization:{rest.organization_id}",)}
    assert heard[-1][1] == {"reply": None, "removed_id": made.json()["id"]}
    assert heard[-2][1]["reply"] == changed.json()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "notes", {"text": "   "}),
        ("POST", "notes", {"text": "x" * 4_097}),
        ("POST", "notes", {"text": "x", "id": "1"}),
        ("POST", "canned", {"shortcut": "a b", "text": "x"}),
        ("POST", "canned", {"shortcut": "/a", "text": "x"}),
        ("POST", "canned", {"shortcut": "a", "text": ""}),
    ],
)
async def test_what_is_none_is_refused(
    tmp_path: Path, method: str, path: str, body: dict[str, str]
) -> None:
    async with rest_server(tmp_path) as rest:
        ana = await rest.person()
        conversation = await ana.opens_conversation()
        where = {"notes": f"/conversations/{conversation['id']}/notes", "canned": "/canned-replies"}

        answer = await ana.call(method, where[path], json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_payload")
