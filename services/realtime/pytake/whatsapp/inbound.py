"""From a message as the provider writes it to ours. Nothing a customer sends is dropped.

A type that is new to us becomes `unsupported` with its raw body beside it, so that it is
shown as a placeholder and can be understood later.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pytake.application.channel_ports import MediaRecord
from pytake.application.ports import Channel, InboundMessage
from pytake.domain.message import MessageType
from pytake.domain.phone import digits_of, variants
from pytake.whatsapp.payloads import Json, MessageItem

MAX_NAME = 200
MAX_PROVIDER_ID = 255

Content = dict[str, Any]
MEDIA_TYPES = frozenset(("image", "video", "audio", "document", "sticker"))


class NotUnderstood(Exception):
    """The item cannot be stored at all; the text says why."""


def to_inbound(
    item: MessageItem, channel: Channel, received_at: datetime
) -> tuple[InboundMessage, MediaRecord | None]:
    """Return the message, and the record of its file if it has one.

    Raises:
        NotUnderstood: It names no sender or no id.
    """
    raw = item.message
    message_id = raw.get("id")
    if not isinstance(message_id, str) or not 0 < len(message_id) <= MAX_PROVIDER_ID:
        raise NotUnderstood("a message without a usable id")
    message_type, content = _content(raw)
    if item.is_history:
        content["from_history"] = True
    media = _media(channel, message_id, content) if "provider_media_id" in content else None
    message = InboundMessage(
        organization_id=channel.organization_id,
        channel_id=channel.id,
        identifiers=_identifiers(item),
        profile_name=_profile_name(item.contact),
        whatsapp_message_id=message_id,
        message_type=message_type,
        content=content,
        sent_at=provider_time(raw.get("timestamp"), received_at),
        is_echo=item.is_echo,
        is_history=item.is_history,
        opens_window=not (item.is_echo or item.is_history or raw.get("type") == "system"),
    )
    return message, media


def provider_time(value: Any, received_at: datetime) -> datetime:
    """Return the provider's time; never later than ours, which is taken if it gave none."""
    try:
        moment = datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return received_at
    return min(moment, received_at)


def _identifiers(item: MessageItem) -> tuple[tuple[str, str], ...]:
    raw, contact = item.message, item.contact
    names: dict[tuple[str, str], None] = {}
    phones = [raw.get("to")] if item.is_echo else [raw.get("from"), contact.get("wa_id")]
    given = [digits_of(phone) for phone in phones if isinstance(phone, str)]
    for phone in given:
        if phone:
            names[("phone", phone)] = None
    for phone in given:
        for other in variants(phone):
            if other:
                names[("phone", other)] = None
    if item.is_echo:
        users = [raw.get("to_user_id")]
    else:
        users = [raw.get("from_user_id"), contact.get("user_id"), contact.get("parent_user_id")]
    for value in users:
        if isinstance(value, str) and 0 < len(value) <= MAX_PROVIDER_ID:
            names[("bsuid", value)] = None
    if not names:
        raise NotUnderstood("a message without a sender")
    return tuple(names)


def _profile_name(contact: Json) -> str:
    profile = contact.get("profile")
    name = profile.get("name") or profile.get("username") if isinstance(profile, dict) else None
    return name[:MAX_NAME] if isinstance(name, str) else ""


def _content(raw: Json) -> tuple[MessageType, Content]:
    kind = raw.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    body = raw.get(kind) if isinstance(kind, str) else None
    content: Content | None = None
    message_type = MessageType.UNSUPPORTED
    if reader is not None:
        message_type, read = reader
        content = read(body if body is not None else raw)
    if content is None:
        message_type, content = MessageType.UNSUPPORTED, _unsupported(raw)
    return message_type, content | _surroundings(raw)


def _surroundings(raw: Json) -> Content:
    """What any message may carry: what it answers, where it comes from."""
    found: Content = {}
    context = raw.get("context")
    if isinstance(context, dict):
        if isinstance(context.get("id"), str):
            found["reply_to"] = {"whatsapp_message_id": context["id"]}
        for mark in ("forwarded", "frequently_forwarded"):
            if context.get(mark):
                found[mark] = True
        if isinstance(context.get("referred_product"), dict):
            found["referred_product"] = context["referred_product"]
    if isinstance(raw.get("referral"), dict):
        found["referral"] = raw["referral"]
    return found


def _text(body: Any) -> Content | None:
    text = body.get("body") if isinstance(body, dict) else None
    return {"text": text} if isinstance(text, str) else None


def _file(body: Any) -> Content | None:
    if not isinstance(body, dict) or not isinstance(body.get("id"), str | int):
        return None
    content: Content = {"provider_media_id": str(body["id"])}
    for name in ("mime_type", "sha256", "caption", "filename"):
        if isinstance(body.get(name), str):
            content[name] = body[name]
    for mark in ("voice", "animated"):
        if body.get(mark):
            content[mark] = True
    return content


def _location(body: Any) -> Content | None:
    if not isinstance(body, dict):
        return None
    place = {
        name: body[name]
        for name in ("latitude", "longitude", "name", "address", "url")
        if isinstance(body.get(name), int | float | str)
    }
    return place if "latitude" in place and "longitude" in place else None


def _contacts(body: Any) -> Content | None:
    return {"contacts": body} if isinstance(body, list) else None


def _reaction(body: Any) -> Content | None:
    if not isinstance(body, dict) or not isinstance(body.get("message_id"), str):
        return None
    # An empty or absent emoji takes the reaction back.
    return {"reacts_to": body["message_id"], "emoji": body.get("emoji") or None}


def _interactive(body: Any) -> Content | None:
    kind = body.get("type") if isinstance(body, dict) else None
    answer = body.get(kind) if isinstance(kind, str) else None
    if not isinstance(answer, dict):
        return None
    text = answer.get("title") or answer.get("body") or answer.get("name") or ""
    return {"kind": kind, "text": str(text), **answer}


def _button(body: Any) -> Content | None:
    if not isinstance(body, dict):
        return None
    return {
        "kind": "button",
        "text": str(body.get("text", "")),
        "payload": str(body.get("payload", "")),
    }


def _order(body: Any) -> Content | None:
    if not isinstance(body, dict):
        return None
    items = body.get("product_items")
    count = len(items) if isinstance(items, list) else 0
    text = body.get("text") or f"Pedido: {count} {'item' if count == 1 else 'itens'}"
    return {"kind": "order", **body, "text": str(text)}


def _system(body: Any) -> Content | None:
    if not isinstance(body, dict):
        return None
    return {"kind": "system", **body, "text": str(body.get("body", ""))}


def _edit(body: Any) -> Content | None:
    """A customer changed a message: what it was stays, what it is now comes beside it."""
    content = _revoke(body)
    if content is None:
        return None
    message = body.get("message")
    text = message.get("text") if isinstance(message, dict) else body.get("text")
    new = _text(text)
    return content | {"kind": "edit"} | (new or {})


def _revoke(body: Any) -> Content | None:
    """A customer took a message back."""
    if not isinstance(body, dict):
        return None
    target = body.get("original_message_id") or body.get("message_id")
    return {"kind": "revoke", "target": target} if isinstance(target, str) else None


_READERS: Mapping[str, tuple[MessageType, Callable[[Any], Content | None]]] = {
    "text": (MessageType.TEXT, _text),
    "image": (MessageType.IMAGE, _file),
    "video": (MessageType.VIDEO, _file),
    "audio": (MessageType.AUDIO, _file),
    "voice": (MessageType.AUDIO, _file),
    "document": (MessageType.DOCUMENT, _file),
    "sticker": (MessageType.STICKER, _file),
    "location": (MessageType.LOCATION, _location),
    "contacts": (MessageType.CONTACTS, _contacts),
    "reaction": (MessageType.REACTION, _reaction),
    "interactive": (MessageType.INTERACTIVE, _interactive),
    "button": (MessageType.INTERACTIVE, _button),
    "order": (MessageType.INTERACTIVE, _order),
    "system": (MessageType.UNSUPPORTED, _system),
    "edit": (MessageType.UNSUPPORTED, _edit),
    "revoke": (MessageType.UNSUPPORTED, _revoke),
}


def _unsupported(raw: Json) -> Content:
    kind = raw.get("type")
    body = raw.get(kind) if isinstance(kind, str) else None
    if kind == "unsupported" and isinstance(body, dict) and isinstance(body.get("type"), str):
        kind = body["type"]
    content: Content = {"kind": str(kind or "unknown")}
    if body is not None:
        content["raw"] = body
    errors = raw.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        content["provider_error"] = {
            name: errors[0][name] for name in ("code", "title", "message") if name in errors[0]
        }
    return content


def _media(channel: Channel, message_id: str, content: Content) -> MediaRecord:
    """Name the file after its message, so that a second delivery names it the same."""
    provider_id = content.pop("provider_media_id")
    media_id = str(uuid5(NAMESPACE_URL, f"{channel.organization_id}/{message_id}/{provider_id}"))
    content["media_id"] = media_id
    return MediaRecord(
        id=media_id,
        organization_id=channel.organization_id,
        channel_id=channel.id,
        mime_type=content.get("mime_type", "application/octet-stream"),
        filename=content.get("filename"),
        sha256=content.get("sha256"),
        provider_id=provider_id,
    )
