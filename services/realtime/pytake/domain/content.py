"""What an outbound message of each type must contain.

Checked before a message is stored, so that what can never be sent is refused at once
and does not fail on the screen a moment later. WhatsApp's own limits, Cloud API messages.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pytake.domain.errors import InvalidPayload
from pytake.domain.message import MAX_CAPTION_CHARACTERS, MAX_TEXT_CHARACTERS, MessageType

Content = Mapping[str, Any]

MAX_SHORT_CHARACTERS = 512


def check_outbound(message_type: MessageType, content: Content) -> None:
    """Return if a message of this type may consist of this content.

    Raises:
        InvalidPayload: Naming the first member that is missing or wrong.
    """
    check = _CHECKS.get(message_type)
    if check is None:
        raise InvalidPayload(detail=f"Messages of type {message_type.value} cannot be sent.")
    check(content)


def _text(content: Content) -> None:
    text = content.get("text")
    if not isinstance(text, str) or not text.strip():
        raise InvalidPayload(detail="content.text must be a text that is not empty.")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise InvalidPayload(detail=f"content.text has more than {MAX_TEXT_CHARACTERS} characters.")


def _file(content: Content) -> None:
    if not any(_is_short_text(content.get(name)) for name in ("media_id", "link")):
        raise InvalidPayload(detail="content.media_id must name a file; see POST /media.")
    caption = content.get("caption")
    if caption is not None and not _is_text(caption, MAX_CAPTION_CHARACTERS):
        raise InvalidPayload(detail=f"content.caption has at most {MAX_CAPTION_CHARACTERS}.")
    filename = content.get("filename")
    if filename is not None and not _is_text(filename, MAX_SHORT_CHARACTERS):
        raise InvalidPayload(detail="content.filename must be a short text.")


def _location(content: Content) -> None:
    for name, bound in (("latitude", 90), ("longitude", 180)):
        value = content.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > bound:
            raise InvalidPayload(detail=f"content.{name} must be degrees.")


def _reaction(content: Content) -> None:
    if not _is_short_text(content.get("reacts_to")):
        raise InvalidPayload(detail="content.reacts_to must name a message.")
    if not _is_text(content.get("emoji", ""), 32):
        raise InvalidPayload(detail="content.emoji must be one emoji, or empty to take it back.")


def _contacts(content: Content) -> None:
    contacts = content.get("contacts")
    if not isinstance(contacts, list) or not contacts:
        raise InvalidPayload(detail="content.contacts must be a list that is not empty.")


def _interactive(content: Content) -> None:
    if not isinstance(content.get("interactive"), Mapping) or not content["interactive"]:
        raise InvalidPayload(detail="content.interactive must be an object.")


def _template(content: Content) -> None:
    for name in ("name", "language"):
        if not _is_short_text(content.get(name)):
            raise InvalidPayload(detail=f"content.{name} must name the template's {name}.")
    if not isinstance(content.get("components", []), list):
        raise InvalidPayload(detail="content.components must be a list.")


def _is_text(value: object, limit: int) -> bool:
    return isinstance(value, str) and len(value) <= limit


def _is_short_text(value: object) -> bool:
    return _is_text(value, MAX_SHORT_CHARACTERS) and bool(value)


_CHECKS: Mapping[MessageType, Callable[[Content], None]] = {
    MessageType.TEXT: _text,
    MessageType.IMAGE: _file,
    MessageType.VIDEO: _file,
    MessageType.AUDIO: _file,
    MessageType.DOCUMENT: _file,
    MessageType.STICKER: _file,
    MessageType.LOCATION: _location,
    MessageType.CONTACTS: _contacts,
    MessageType.REACTION: _reaction,
    MessageType.INTERACTIVE: _interactive,
    MessageType.TEMPLATE: _template,
}
