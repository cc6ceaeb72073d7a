"""TypeScript types of the contract, shaped for socket.io-client's typed sockets.

Own and small, because the event maps that `Socket<ServerToClient, ClientToServer>`
wants are no part of what schema converters write.
"""

import json
from typing import Any

from pytake.contract.error_codes import MEANINGS

Schema = dict[str, Any]

_PRIMITIVES = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def typescript(schema: Schema) -> str:
    """Return the module `contract.gen.ts`."""
    parts = ["// Written by `make contract` from services/realtime/pytake/contract. Do not edit.\n"]
    parts += [_declaration(name, body) for name, body in schema["$defs"].items()]
    parts += [_error_codes(), _server_map(schema), _client_map(schema)]
    return "\n".join(parts)


def _declaration(name: str, body: Schema) -> str:
    comment = _comment(body.get("description"))
    if "enum" in body:
        return f"{comment}export type {name} = {_union(body['enum'])};\n"
    required = set(body.get("required", ()))
    lines = [
        f"  {member}{'' if member in required else '?'}: {type_name(shape)};"
        for member, shape in body.get("properties", {}).items()
    ]
    return f"{comment}export interface {name} {{\n" + "\n".join(lines) + "\n}\n"


def _comment(text: str | None) -> str:
    if not text:
        return ""
    lines = text.strip().splitlines()
    if len(lines) == 1:
        return f"/** {lines[0]} */\n"
    return "/**\n" + "".join(f" * {line.strip()}".rstrip() + "\n" for line in lines) + " */\n"


def _union(values: list[Any]) -> str:
    return " | ".join(json.dumps(value) for value in values)


def type_name(shape: Schema) -> str:
    if "$ref" in shape:
        return str(shape["$ref"]).rsplit("/", 1)[1]
    if "anyOf" in shape:
        return " | ".join(dict.fromkeys(type_name(choice) for choice in shape["anyOf"]))
    if "const" in shape:
        return json.dumps(shape["const"])
    if "enum" in shape:
        return _union(shape["enum"])
    kind = shape.get("type")
    if kind == "array":
        inner = type_name(shape.get("items", {}))
        return f"Array<{inner}>"
    if kind == "object":
        values = shape.get("additionalProperties")
        return f"Record<string, {type_name(values) if isinstance(values, dict) else 'unknown'}>"
    return _PRIMITIVES.get(str(kind), "unknown")


def _error_codes() -> str:
    codes = _union([code.value for code in MEANINGS])
    rows = "\n".join(
        f"  {code.value}: {json.dumps(meaning.retryable)},".replace("True", "true")
        for code, meaning in MEANINGS.items()
    )
    return (
        f"/** The closed list of error codes: decide by these, never by the text. */\n"
        f"export type ErrorCode =\n  {codes.replace(' | ', chr(10) + '  | ')};\n\n"
        f"/** Whether the same request may succeed later. */\n"
        f"export const RETRYABLE: Readonly<Record<ErrorCode, boolean>> = {{\n{rows}\n}};\n"
    )


def _server_map(schema: Schema) -> str:
    rows = "\n".join(
        f"  {json.dumps(event)}: (data: {model}) => void;"
        for event, model in schema["serverEvents"].items()
    )
    return f"/** What the server sends. */\nexport interface ServerToClientEvents {{\n{rows}\n}}\n"


def _client_map(schema: Schema) -> str:
    answers = schema["acknowledgements"]
    rows = "\n".join(
        f"  {json.dumps(event)}: (\n    payload: {model},\n"
        f"    acknowledge?: (answer: {answers[event]} | RefusedAnswer) => void,\n"
        "  ) => void;"
        for event, model in schema["clientEvents"].items()
    )
    return f"/** What a client may send. */\nexport interface ClientToServerEvents {{\n{rows}\n}}\n"
