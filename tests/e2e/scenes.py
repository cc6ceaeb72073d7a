"""The states of the page that its brief asks to see, made on the real server."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Page, Route, expect

from e2e.browsers import Person

BUSY = "Dona Lúcia"


def picture(width: int = 96, height: int = 72) -> bytes:
    """A small PNG with two colours, made here: no file to keep."""
    rows = b"".join(
        b"\0" + b"".join(_colour(x, y, width, height) for x in range(width)) for y in range(height)
    )

    def part(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (part(b"IHDR", head), part(b"IDAT", zlib.compress(rows)), part(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _colour(x: int, y: int, width: int, height: int) -> bytes:
    is_box = width // 3 < x < 2 * width // 3 and height // 4 < y < 3 * height // 4
    return bytes((138, 90, 52)) if is_box else bytes((217, 201, 180))


def fill_with_every_type(address: str) -> None:
    """Let a customer and her agent send each other every type of message."""
    with httpx.Client(base_url=address, timeout=20) as http:
        body = {"email": "bruno@demo.pytake", "password": "demo"}
        token = http.post("/api/v1/auth/login", json=body).json()["access_token"]
        http.headers["authorization"] = f"Bearer {token}"
        rows = http.get("/api/v1/conversations").json()["items"]
        row = next(row for row in rows if row["contact"]["name"] == BUSY)
        _customer_sends(http, row["contact"]["phone"].lstrip("+"))
        _agent_sends(http, row["id"])


def _customer_sends(http: httpx.Client, wa_id: str) -> None:
    place = {"latitude": -19.93, "longitude": -43.94, "name": "Portaria do prédio"}
    card = {"name": {"formatted_name": "Neto Gabriel"}, "phones": [{"phone": "+55 31 98888-7777"}]}
    reply = {"type": "button_reply", "button_reply": {"id": "sim", "title": "Sim, pode ser"}}
    for message in (
        {"type": "location", "location": {**place, "address": "Rua da Bahia, 1200"}},
        {"type": "contacts", "contacts": [card]},
        {"type": "interactive", "interactive": reply},
        {"type": "unsupported", "errors": [{"code": 131051, "title": "Unsupported"}]},
        {"type": "text", "text": {"body": "😍👏"}},
    ):
        http.post(f"/simulator/control/customers/{wa_id}/messages", json=message).raise_for_status()


def _agent_sends(http: httpx.Client, conversation_id: str) -> None:
    def upload(name: str, data: bytes, mime_type: str) -> dict[str, Any]:
        sent = http.post("/api/v1/media", files={"file": (name, data, mime_type)})
        media: dict[str, Any] = sent.raise_for_status().json()
        return {"media_id": media["id"], "filename": name, "mime_type": mime_type}

    photo = upload("kit.png", picture(), "image/png")
    photo |= {"caption": "É este kit, certo?", "width": 96, "height": 72}
    sheet = upload("Manual de montagem.pdf", b"%PDF-1.4\n%%EOF\n", "application/pdf")
    for message_type, content in (
        ("image", photo),
        ("document", sheet | {"size": 15}),
        ("text", {"text": "O rastreio fica em https://rastreio.example.com/BR10482"}),
    ):
        message = {"message_type": message_type, "content": content}
        http.post(
            f"/api/v1/conversations/{conversation_id}/messages", json=message
        ).raise_for_status()


def change_rows(person: Person, change: Callable[[dict[str, Any]], None]) -> None:
    """Let the list say something that would take a day to come about."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        person.rows += body["items"]
        for row in body["items"]:
            change(row)
        route.fulfill(response=response, body=json.dumps(body))

    person.page.route(re.compile(r"/api/v1/conversations\?"), answer)


def close_windows(row: dict[str, Any]) -> None:
    row["window_expires_at"] = "2020-01-01T00:00:00.000Z"


def offer_template(person: Person) -> None:
    """Let there be an approved template."""
    body = "Olá {{1}}, seu pedido {{2}} já pode ser retirado na loja."
    template = {
        "channel_id": None,
        "name": "pedido_pronto",
        "language": "pt_BR",
        "status": "APPROVED",
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": body}],
    }

    def answer(route: Route) -> None:
        channels = {row["channel_id"] for row in person.rows}
        items = [template | {"channel_id": channel} for channel in channels]
        route.fulfill(json={"items": items, "next_cursor": None})

    person.page.route(re.compile(r"/api/v1/templates"), answer)


def write_note(person: Person, text: str) -> None:
    """Write a note to colleagues in the conversation that is open."""
    person.page.locator("[data-write-note]").click()
    field = person.page.locator("[data-note-composer] textarea")
    field.fill(text)
    field.press("Enter")
    expect(person.page.locator("[data-note]", has_text=text.split()[-1])).to_have_count(1)


def audit(page: Page, axe: str) -> list[str]:
    """Return what axe has to complain of, in one line each."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {violation['help']} ({node['target'][0]}: {node['failureSummary']})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def is_calm(page: Page) -> None:
    """Wait until fonts are there and nothing is loading."""
    page.evaluate("document.fonts.ready.then(() => true)")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
