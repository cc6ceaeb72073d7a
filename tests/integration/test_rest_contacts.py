"""What is kept of a customer, as JSON, and its removal."""

from pathlib import Path

import pytest

from rest.server import rest_server

pytestmark = pytest.mark.integration


async def test_a_contact_is_exported_and_erased(tmp_path: Path) -> None:
    async with rest_server(tmp_path) as rest:
        admin = await rest.person("admin")
        conversation = await admin.opens_conversation("+5511987654321")
        await admin.writes(conversation["id"], "a secret")
        path = f"/contacts/{conversation['contact']['id']}"

        exported = await admin.get(f"{path}/export")
        erased = await admin.call("DELETE", path)
        afterwards = await admin.get(f"{path}/export")
        audit = await admin.get("/audit")

    assert exported.status_code == 200
    assert {"kind": "phone", "value": "5511987654321"} in exported.json()["identifiers"]
    assert "a secret" in exported.text
    assert erased.status_code == 204
    assert "a secret" not in afterwards.text
    assert "5511987654321" not in afterwards.text
    actions = [entry["action"] for entry in audit.json()["items"]]
    assert actions == ["contact.exported", "contact.erased", "contact.exported"]
