"""From our message to the body of a Graph request."""

from collections.abc import Mapping
from typing import Any

from pytake.application.channel_ports import QueuedMessage
from pytake.domain.message import MessageType


class NotSendable(Exception):
    """WhatsApp has no such message; the text tells the agent why."""


_FILES = frozenset(
    (
        MessageType.IMAGE,
        MessageType.VIDEO,
        MessageType.AUDIO,
        MessageType.DOCUMENT,
        MessageType.STICKER,
    )
)
_WITH_CAPTION = _FILES - {MessageType.AUDIO, MessageType.STICKER}
_PLACE = ("latitude", "longitude", "name", "address")


def is_file(message_type: MessageType) -> bool:
    """Whether a message of this type carries a file that must be uploaded first."""
    return message_type in _FILES


def request_body(message: QueuedMessage, provider_media_id: str | None = None) -> dict[str, Any]:
    """Return the JSON of `POST /{phone_number_id}/messages`.

    Raises:
        NotSendable: The content lacks what the type needs.
    """
    kind, value = message.recipient
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        # A business-scoped id goes where no phone number is known.
        "to" if kind == "phone" else "recipient": value,
        "type": message.message_type.value,
        message.message_type.value: _object(message, provider_media_id),
        # Echoed in every status: finds our row although the answer is not here yet.
        "biz_opaque_callback_data": message.message_id,
    }
    reply_to = message.content.get("reply_to")
    if isinstance(reply_to, Mapping) and isinstance(reply_to.get("whatsapp_message_id"), str):
        body["context"] = {"message_id": reply_to["whatsapp_message_id"]}
    return body


def _object(message: QueuedMessage, provider_media_id: str | None) -> Any:
    content, message_type = message.content, message.message_type
    if message_type is MessageType.TEXT:
        text = content.get("text")
        if not isinstance(text, str) or not text:
            raise NotSendable("The text is empty.")
        return {"body": text, "preview_url": "http" in text}
    if message_type in _FILES:
        return _file(message, provider_media_id)
    if message_type is MessageType.LOCATION:
        place = {name: content[name] for name in _PLACE if name in content}
        if "latitude" not in place or "longitude" not in place:
            raise NotSendable("The place has no coordinates.")
        return place
    if message_type is MessageType.CONTACTS:
        return _required(content, "contacts", list)
    if message_type is MessageType.REACTION:
        target = _required(content, "reacts_to", str)
        return {"message_id": target, "emoji": content.get("emoji") or ""}
    if message_type is MessageType.INTERACTIVE:
        return _required(content, "interactive", dict)
    if message_type is MessageType.TEMPLATE:
        return _template(content)
    raise NotSendable("WhatsApp knows no message of this type.")


def _file(message: QueuedMessage, provider_media_id: str | None) -> dict[str, Any]:
    content = message.content
    if provider_media_id is not None:
        file: dict[str, Any] = {"id": provider_media_id}
    elif isinstance(content.get("link"), str):
        file = {"link": content["link"]}
    else:
        raise NotSendable("The file is missing.")
    if message.message_type in _WITH_CAPTION and content.get("caption"):
        file["caption"] = content["caption"]
    if message.message_type is MessageType.DOCUMENT and content.get("filename"):
        file["filename"] = content["filename"]
    return file


def _template(content: Mapping[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = {
        "name": _required(content, "name", str),
        "language": {"code": _required(content, "language", str)},
    }
    if isinstance(content.get("components"), list):
        template["components"] = content["components"]
    return template


def _required(content: Mapping[str, Any], name: str, kind: type) -> Any:
    value = content.get(name)
    if not isinstance(value, kind) or not value:
        raise NotSendable(f"`{name}` is missing.")
    return value
