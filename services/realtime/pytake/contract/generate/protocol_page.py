"""docs/protocol.md: the contract for people who write clients."""

from typing import Any

from pytake.contract.error_codes import MEANINGS
from pytake.contract.generate.typescript import type_name
from pytake.contract.server_events import SERVER_EVENTS

Schema = dict[str, Any]

_HEAD = """\
<!-- Written by `make contract` from services/realtime/pytake/contract. Do not edit. -->
# Protocol

Socket.IO protocol 5 over Engine.IO 4, path `/socket.io`, default namespace. REST under
`/api/v1`; its routes are in `/openapi.json` where `PYTAKE_DOCS` is on. Machine-readable:
[asyncapi.json](contract/asyncapi.json), [schema.json](contract/schema.json).

Every payload is one object. Readers ignore members that they do not know. Ids are UUIDs,
times are ISO 8601 in UTC with three decimals and `Z`. Durable events carry `seq`: the log of a
conversation has no holes and no repeats, so drop what you have seen and join again with
`last_seq` after each reconnect.

What a server refuses without looking at it: events with binary attachments (`invalid_payload`; send
files by REST), events above `PYTAKE_MAX_EVENT_BYTES` (`payload_too_large`), values nested more than
32 deep. Above 16 times that size, and above 32 KiB before the handshake was answered, the
connection closes with 1009 (polling: 413). It also closes if it has not authenticated within ten
seconds.
In a `Message` that is sent live or replayed, `content.media_url` is signed when it is sent, as by
REST; a link is good for 24 hours.
"""


_BOUNDS = {
    "minimum": "≥",
    "maximum": "≤",
    "maxLength": "length ≤",
    "maxItems": "items ≤",
}


def protocol_page(schema: Schema) -> str:
    """Return the page."""
    definitions = schema["$defs"]
    parts = [_HEAD, "## Handshake\n", _table(definitions["HandshakeAuth"])]
    parts.append("## Client → server\n")
    for event, model in schema["clientEvents"].items():
        answer = schema["acknowledgements"][event]
        parts += [f"### `{event}`\n", _described(definitions[model]), _table(definitions[model])]
        parts.append(f"Acknowledgement: `{answer}` or `RefusedAnswer`.\n")
    parts.append("## Server → client\n")
    for event, model in schema["serverEvents"].items():
        kind = SERVER_EVENTS[event][1].value
        parts.append(f"### `{event}` ({kind})\n")
        parts += [_described(definitions[model]), _table(definitions[model])]
    parts.append("## Acknowledgements\n")
    for model in dict.fromkeys([*schema["acknowledgements"].values(), "RefusedAnswer"]):
        parts += [f"### {model}\n", _described(definitions[model]), _table(definitions[model])]
    parts += ["## Shapes\n"]
    shown = {*schema["clientEvents"].values(), *schema["acknowledgements"].values()}
    shown |= {*schema["serverEvents"].values(), "HandshakeAuth", "RefusedAnswer"}
    for model, body in definitions.items():
        if model not in shown:
            parts += [f"### {model}\n", _described(body), _table(body)]
    parts += [_codes()]
    return "\n".join(part for part in parts if part)


def _described(body: Schema) -> str:
    text = body.get("description", "")
    return f"{text}\n" if text else ""


def _table(body: Schema) -> str:
    if "enum" in body:
        return "One of " + ", ".join(f"`{value}`" for value in body["enum"]) + ".\n"
    members = body.get("properties", {})
    if not members:
        return "No members.\n"
    required = set(body.get("required", ()))
    rows = [
        f"| `{member}` | {_cell(shape)} | {'yes' if member in required else 'no'} |"
        for member, shape in members.items()
    ]
    return "\n".join(["| member | type | always there |", "|---|---|---|", *rows, ""])


def _cell(shape: Schema) -> str:
    text = type_name(shape).replace("|", "\\|")
    bounds = [f"{sign} {shape[key]}" for key, sign in _BOUNDS.items() if key in shape]
    return f"`{text}`" + (f" ({', '.join(bounds)})" if bounds else "")


def _codes() -> str:
    rows = [
        f"| `{code.value}` | {meaning.status} | {'yes' if meaning.retryable else 'no'} "
        f"| {meaning.title} | {meaning.action} |"
        for code, meaning in MEANINGS.items()
    ]
    return "\n".join(
        [
            "## Error codes\n",
            "Decide by the code, never by the text. HTTP answers are `application/problem+json`.\n",
            "| code | HTTP | retry | what happened | what to do |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
