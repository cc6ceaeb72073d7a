import copy
import json
from typing import Any

import pytest

from pytake.contract.error_codes import MEANINGS
from pytake.contract.generate.__main__ import rendered
from pytake.contract.generate.asyncapi import asyncapi
from pytake.contract.generate.breaking import breaking_changes
from pytake.contract.generate.schema import json_schema
from pytake.domain.errors import ErrorCode


@pytest.fixture
def published() -> dict[str, Any]:
    return json_schema()


@pytest.fixture
def new(published: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(published)


def test_an_unchanged_contract_breaks_nothing(
    published: dict[str, Any], new: dict[str, Any]
) -> None:
    assert breaking_changes(published, new) == []


def test_a_new_member_of_an_answer_breaks_nothing(
    published: dict[str, Any], new: dict[str, Any]
) -> None:
    new["$defs"]["Pong"]["properties"]["region"] = {"type": "string"}

    assert breaking_changes(published, new) == []


def test_a_renamed_event_is_named(published: dict[str, Any], new: dict[str, Any]) -> None:
    new["serverEvents"]["message:created"] = new["serverEvents"].pop("message:new")

    assert breaking_changes(published, new) == ["`message:new` is gone from serverEvents"]


def test_a_member_that_vanished_is_named(published: dict[str, Any], new: dict[str, Any]) -> None:
    del new["$defs"]["UserTyping"]["properties"]["user_id"]

    assert breaking_changes(published, new) == ["UserTyping.user_id is gone"]


def test_a_member_that_is_asked_for_anew_is_named(
    published: dict[str, Any], new: dict[str, Any]
) -> None:
    new["$defs"]["JoinConversation"]["required"].append("epoch")

    assert breaking_changes(published, new) == ["JoinConversation.epoch is now required"]


def test_a_changed_type_is_named(published: dict[str, Any], new: dict[str, Any]) -> None:
    new["$defs"]["MessageBody"]["properties"]["seq"] = {"type": "string"}

    assert breaking_changes(published, new) == ["MessageBody.seq changed its type"]


def test_what_clients_send_may_become_looser(
    published: dict[str, Any], new: dict[str, Any]
) -> None:
    new["$defs"]["MarkRead"]["properties"]["seq"] = {
        "anyOf": [{"type": "integer"}, {"type": "null"}]
    }

    assert breaking_changes(published, new) == []


def test_a_lost_code_is_named(published: dict[str, Any], new: dict[str, Any]) -> None:
    new["errorCodes"].remove("conflict")

    assert breaking_changes(published, new) == ["the error code `conflict` is gone"]


def test_every_code_has_a_meaning_and_something_to_do() -> None:
    assert set(MEANINGS) == set(ErrorCode)
    assert all(meaning.action for meaning in MEANINGS.values())


def test_every_reference_of_the_asyncapi_document_leads_somewhere(
    published: dict[str, Any],
) -> None:
    document = asyncapi(published)

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            found = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return found + [ref for value in node.values() for ref in references(value)]
        if isinstance(node, list):
            return [ref for value in node for ref in references(value)]
        return []

    for reference in references(document):
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_generating_twice_gives_the_same_files() -> None:
    assert rendered() == rendered()
    assert all(json.loads(text) for path, text in rendered().items() if path.suffix == ".json")
