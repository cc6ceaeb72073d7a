"""One JSON Schema document with every model that crosses the wire."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from pytake.contract import bodies
from pytake.contract.acknowledgements import ACKNOWLEDGEMENTS, RefusedAnswer
from pytake.contract.client_events import CLIENT_EVENTS, HandshakeAuth
from pytake.contract.server_events import SERVER_EVENTS
from pytake.domain.errors import ErrorCode

REF_TEMPLATE = "#/$defs/{model}"


def _models_of(module: Any, base: type[BaseModel]) -> list[type[BaseModel]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value is not base
    ]


def taken_models() -> list[type[BaseModel]]:
    """Models of what clients send."""
    return [HandshakeAuth, *CLIENT_EVENTS.values(), *_models_of(bodies, bodies.Request)]


def given_models() -> list[type[BaseModel]]:
    """Models of what we send."""
    events = [model for model, _ in SERVER_EVENTS.values()]
    return [
        *events, RefusedAnswer, *ACKNOWLEDGEMENTS.values(), *_models_of(bodies, bodies.Answer),
    ]  # fmt: skip


def json_schema() -> dict[str, Any]:
    """Return the schema: `$defs` by model, and which event has which model."""
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = []
    for model in taken_models():
        modes.append((model, "validation"))
    for model in given_models():
        modes.append((model, "serialization"))
    _, document = models_json_schema(list(dict.fromkeys(modes)), ref_template=REF_TEMPLATE)
    definitions = document["$defs"]
    for definition in definitions.values():
        _without_titles(definition)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "PyTake Realtime",
        "clientEvents": {name: model.__name__ for name, model in CLIENT_EVENTS.items()},
        "acknowledgements": {name: model.__name__ for name, model in ACKNOWLEDGEMENTS.items()},
        "serverEvents": {name: model.__name__ for name, (model, _) in SERVER_EVENTS.items()},
        "errorCodes": [code.value for code in ErrorCode],
        "taken": sorted(model.__name__ for model in taken_models()),
        "$defs": dict(sorted(definitions.items())),
    }


def _without_titles(definition: dict[str, Any]) -> None:
    """Drop the titles that pydantic makes of member names: they say nothing new."""
    definition.pop("title", None)
    for member in definition.get("properties", {}).values():
        member.pop("title", None)
