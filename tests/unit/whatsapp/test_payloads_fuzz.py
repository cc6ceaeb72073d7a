"""Whatever a delivery holds and wherever it holds it: items come out, and no exception."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytake.application.ports import Channel
from pytake.domain.ids import ChannelId, OrganizationId
from pytake.store.rows import to_json
from pytake.whatsapp.inbound import NotUnderstood, to_inbound
from pytake.whatsapp.payloads import MessageItem, Poison, StatusItem, parse_delivery
from pytake.whatsapp.statuses import to_report

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CHANNEL = Channel(
    id=ChannelId("c0000000-0000-4000-8000-000000000001"),
    organization_id=OrganizationId("a0000000-0000-4000-8000-000000000001"),
    name="Loja",
    phone_number_id="1065",
)

ERRORS = [{"code": 131051, "title": "no", "error_data": {"details": "not supported"}}]
FILE = {"id": "9001", "mime_type": "image/png", "sha256": "00", "caption": "veja"}
BODIES: dict[str, Any] = {
    "text": {"body": "oi"},
    "image": FILE,
    "location": {"latitude": -23.5, "longitude": -46.6, "name": "MASP"},
    "contacts": [{"name": {"formatted_name": "Rui"}}],
    "reaction": {"message_id": "wamid.0", "emoji": "👍"},
    "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "Segunda"}},
    "button": {"payload": "sim", "text": "Sim"},
    "order": {"catalog_id": "7", "product_items": [{"quantity": 2}]},
    "system": {"type": "customer_changed_number", "body": "mudou", "wa_id": "551188887777"},
    "edit": {"original_message_id": "wamid.0", "message": {"text": {"body": "oi!"}}},
    "revoke": {"original_message_id": "wamid.0"},
    "unsupported": {"type": "poll"},
}


def message(kind: str) -> dict[str, Any]:
    return {
        "from": "5511987654321",
        "from_user_id": "BR.1",
        "to": "5511987654321",
        "id": f"wamid.{kind}",
        "timestamp": "1795348800",
        "type": kind,
        kind: BODIES[kind],
        "context": {"id": "wamid.0", "forwarded": True, "referred_product": {"id": 1}},
        "referral": {"source_id": "1"},
        "errors": ERRORS,
    }


VALUE: dict[str, Any] = {
    "metadata": {"phone_number_id": "1065", "display_phone_number": "551130000000"},
    "contacts": [{"wa_id": "5511987654321", "user_id": "BR.1", "profile": {"name": "Ana"}}],
    "messages": [message(kind) for kind in BODIES],
    "message_echoes": [message("text")],
    "statuses": [
        {
            "id": "wamid.1",
            "status": "failed",
            "timestamp": "1795348800",
            "biz_opaque_callback_data": "x",
            "errors": ERRORS,
        }
    ],
    "errors": ERRORS,
    "history": [{"threads": [{"id": "5511987654321", "messages": [message("text")]}]}],
}
CHANGES = [{"field": "messages", "value": VALUE}]
DELIVERY = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": CHANGES}]}

Path = tuple[str | int, ...]


def paths(value: Any, here: Path = ()) -> Iterator[Path]:
    yield here
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for name, part in members:
        yield from paths(part, (*here, name))


def put(document: Any, path: Path, value: Any) -> Any:
    """Replace what is at the path; nothing where another replacement has removed it."""
    if not path:
        return value
    place: Any = document
    for name in path[:-1]:
        try:
            place = place[name]
        except (LookupError, TypeError):
            return document
    last: Any = path[-1]
    if isinstance(place, dict) or (isinstance(place, list) and last in range(len(place))):
        place[last] = value
    return document


def understand(document: Any) -> None:
    """Do with each item what the worker does; what it may say is that it does not understand."""
    for item in parse_delivery(json.dumps(document).encode()):
        assert isinstance(item.lane, str)
        try:
            if isinstance(item, StatusItem):
                to_report(item, CHANNEL, NOW)
            elif isinstance(item, MessageItem):
                to_json(dict(to_inbound(item, CHANNEL, NOW)[0].content))
            elif isinstance(item, Poison):
                to_json(item.item if isinstance(item.item, str) else dict(item.item))
        except NotUnderstood:
            continue


PATHS = list(paths(DELIVERY))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("wrong", [None, True, 17, -0.5, "x", [], [None], [[]], {}, {"a": {}}])
def test_one_wrong_type_anywhere_is_refused_alone(wrong: Any) -> None:
    for path in PATHS:
        understand(put(copy.deepcopy(DELIVERY), path, wrong))


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(PATHS), anything), max_size=8))
def test_many_wrong_types_are_refused_item_by_item(replaced: list[tuple[Path, Any]]) -> None:
    document: Any = copy.deepcopy(DELIVERY)
    for path, value in replaced:
        document = put(document, path, value)

    understand(document)


@pytest.mark.parametrize("depth", [150, 900, 1_200, 200_000])
@pytest.mark.parametrize("half", ["[", '{"a":'])
def test_what_is_nested_too_deeply_is_poison(depth: int, half: str) -> None:
    deep = half * depth + "1" + ("]" if half == "[" else "}") * depth

    (item,) = parse_delivery(b'{"entry": [{"changes": [{"value": %s}]}]}' % deep.encode())

    assert isinstance(item, Poison)
