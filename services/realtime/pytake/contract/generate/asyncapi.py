"""The socket as an AsyncAPI 3.0 document."""

import json
from typing import Any

from pytake import __version__
from pytake.contract.server_events import SERVER_EVENTS

Schema = dict[str, Any]


def asyncapi(schema: Schema) -> Schema:
    """Return the document; `action` is seen from the server, as AsyncAPI asks."""
    models = json.loads(json.dumps(schema["$defs"]).replace("#/$defs/", "#/components/schemas/"))
    messages, operations = {}, {}
    for event, model in schema["clientEvents"].items():
        messages[_key(event)] = _message(event, model, models)
        answer = f"{_key(event)}.acknowledgement"
        messages[answer] = {
            "name": event,
            "title": f"acknowledgement of {event}",
            "payload": {
                "oneOf": [
                    _schema_ref(schema["acknowledgements"][event]),
                    _schema_ref("RefusedAnswer"),
                ]
            },
        }
        operations[f"receive.{_key(event)}"] = _operation("receive", event) | {
            "reply": {"channel": {"$ref": "#/channels/socket"}, "messages": [_channel_ref(answer)]}
        }
    for event, model in schema["serverEvents"].items():
        messages[_key(event)] = _message(event, model, models) | {
            "tags": [{"name": SERVER_EVENTS[event][1].value}]
        }
        operations[f"send.{_key(event)}"] = _operation("send", event)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "PyTake Realtime",
            "version": __version__,
            "description": "Events over Socket.IO protocol 5, Engine.IO 4, default namespace.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "public": {
                "host": "{host}",
                "pathname": "/socket.io",
                "protocol": "wss",
                "protocolVersion": "Socket.IO 5",
                "variables": {"host": {"description": "Where the proxy listens."}},
            }
        },
        "channels": {
            "socket": {
                "address": "/",
                "title": "The default namespace; `auth` of the CONNECT packet is HandshakeAuth.",
                "messages": {
                    key: {"$ref": f"#/components/messages/{key}"} for key in sorted(messages)
                },
            }
        },
        "operations": operations,
        "components": {"messages": dict(sorted(messages.items())), "schemas": models},
    }


def _key(event: str) -> str:
    return event.replace(":", ".")


def _message(event: str, model: str, models: Schema) -> Schema:
    message = {"name": event, "title": event, "payload": _schema_ref(model)}
    if summary := models[model].get("description"):
        message["summary"] = summary
    return message


def _operation(action: str, event: str) -> Schema:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/socket"},
        "messages": [_channel_ref(_key(event))],
    }


def _schema_ref(model: str) -> Schema:
    return {"$ref": f"#/components/schemas/{model}"}


def _channel_ref(key: str) -> Schema:
    return {"$ref": f"#/channels/socket/messages/{key}"}
