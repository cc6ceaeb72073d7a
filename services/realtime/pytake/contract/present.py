"""From the things of the domain to the JSON that clients get."""

from datetime import datetime
from typing import Any

from pytake.contract.media_links import Link, with_link
from pytake.contract.times import optional_wire_time, wire_time
from pytake.domain.canned_reply import CannedReply
from pytake.domain.conversation import Contact, Conversation
from pytake.domain.message import Message
from pytake.domain.note import Note
from pytake.domain.status import MessageStatus, StatusTimes


def message_body(message: Message, link: Link | None = None) -> dict[str, Any]:
    """Return a `Message` as REST and `message:new` give it.

    With `link`, content that has a file says where it can be read (`media_url`).
    """
    content = dict(message.content)
    if link is not None:
        content = with_link(content, link)
    body: dict[str, Any] = {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "seq": message.seq,
        "direction": message.direction.value,
        "sender_type": message.sender_type.value,
        "sender_id": message.sender_id,
        "message_type": message.message_type.value,
        "content": content,
        "status": message.status.value,
        "whatsapp_message_id": message.whatsapp_message_id,
        "client_message_id": message.client_message_id,
        "created_at": wire_time(message.created_at),
        "sent_at": optional_wire_time(message.sent_at),
    }
    if message.error is not None:
        body["error"] = dict(message.error)
    if message.retry_of is not None:
        body["retry_of"] = message.retry_of
    if message.status_times is not None:
        body["status_times"] = status_times_body(message.status_times)
    return body


def status_times_body(times: StatusTimes) -> dict[str, Any]:
    """Return when a message reached each status, and which of these nobody reported."""
    return {status.value: wire_time(moment) for status, moment in times.at.items()} | {
        "implied": [status.value for status in MessageStatus if status in times.implied]
    }


def contact_body(contact: Contact) -> dict[str, Any]:
    """Return a contact as REST gives it."""
    body: dict[str, Any] = {"id": contact.id, "name": contact.name, "phone": contact.phone}
    if contact.marketing_opt_out_at is not None:
        body["marketing_opt_out_at"] = wire_time(contact.marketing_opt_out_at)
    return body


def conversation_body(conversation: Conversation, link: Link | None = None) -> dict[str, Any]:
    """Return a `Conversation` as REST and `inbox:updated` give it."""
    last = conversation.last_message
    return {
        "id": conversation.id,
        "contact": contact_body(conversation.contact),
        "channel_id": conversation.channel_id,
        "status": conversation.status.value,
        "assigned_to": conversation.assigned_to,
        "unread_count": conversation.unread_count,
        "inbound_count": conversation.inbound_count,
        "last_message": None if last is None else message_body(last, link),
        "last_seq": conversation.last_seq,
        "epoch": conversation.epoch,
        "window_expires_at": optional_wire_time(conversation.window_expires_at),
        "labels": list(conversation.labels),
        "created_at": wire_time(conversation.created_at),
        "updated_at": wire_time(conversation.updated_at),
    }


def note_body(note: Note) -> dict[str, Any]:
    """Return a `Note` as REST and `note:new` give it."""
    return {
        "id": note.id,
        "conversation_id": note.conversation_id,
        "seq": note.seq,
        "author_id": note.author_id,
        "text": note.text,
        "created_at": wire_time(note.created_at),
    }


def canned_reply_body(reply: CannedReply) -> dict[str, Any]:
    """Return a canned reply as REST and `canned_replies:changed` give it."""
    return {"id": reply.id, "shortcut": reply.shortcut, "text": reply.text}


def status_body(
    conversation_id: str,
    message_id: str,
    seq: int,
    status: MessageStatus,
    timestamp: datetime,
    error: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the data of a `message:status` event."""
    body: dict[str, Any] = {
        "conversation_id": conversation_id,
        "message_id": message_id,
        "seq": seq,
        "status": status.value,
        "timestamp": wire_time(timestamp),
    }
    if error is not None:
        body["error"] = error
    return body
