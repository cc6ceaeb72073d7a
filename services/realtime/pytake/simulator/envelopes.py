"""Bodies as Meta writes them."""

import hashlib
import hmac
import json
from typing import Any

from pytake.simulator.world import Customer, Number, Sent

Change = dict[str, Any]


def _metadata(number: Number) -> dict[str, Any]:
    return {
        "display_phone_number": number.display_phone_number,
        "phone_number_id": number.phone_number_id,
    }


def message_value(number: Number, customer: Customer, message: dict[str, Any]) -> Change:
    """Return the `value` that carries one message of a customer."""
    contact: dict[str, Any] = {
        "profile": {"name": customer.name},
        "user_id": customer.user_id,
    }
    sender: dict[str, Any] = {"from_user_id": customer.user_id}
    if not customer.hides_phone:
        contact["wa_id"] = customer.wa_id
        sender["from"] = customer.wa_id
    return {
        "messaging_product": "whatsapp",
        "metadata": _metadata(number),
        "contacts": [contact],
        "messages": [sender | message],
    }


def status_value(
    number: Number,
    sent: Sent,
    status: str,
    timestamp: int,
    *,
    code: int | None = None,
    with_conversation: bool = False,
) -> Change:
    """Return the `value` that carries one status."""
    body: dict[str, Any] = {
        "id": sent.id,
        "status": status,
        "timestamp": str(timestamp),
        "recipient_id": sent.customer.wa_id,
        "recipient_user_id": sent.customer.user_id,
    }
    if sent.callback_data is not None:
        body["biz_opaque_callback_data"] = sent.callback_data
    if code is not None:
        body["errors"] = [error_of(code)]
    if with_conversation:
        body["conversation"] = {
            "id": f"c{sent.customer.wa_id}",
            "expiration_timestamp": str(timestamp + 86400),
            "origin": {"type": "service"},
        }
        body["pricing"] = {"billable": True, "pricing_model": "CBP", "category": "service"}
    return {
        "messaging_product": "whatsapp",
        "metadata": _metadata(number),
        "statuses": [body],
    }


def echo_value(number: Number, customer: Customer, message: dict[str, Any]) -> Change:
    """Return the `value` of a message that the business wrote with the phone app."""
    own = {"from": number.display_phone_number, "to_user_id": customer.user_id}
    if not customer.hides_phone:
        own["to"] = customer.wa_id
    return {
        "messaging_product": "whatsapp",
        "metadata": _metadata(number),
        "message_echoes": [own | message],
    }


def history_value(number: Number, customer: Customer, messages: list[Change]) -> Change:
    """Return the `value` of old messages that the phone app has kept."""
    progress = {"phase": 0, "chunk_order": 1, "progress": 100}
    return {
        "messaging_product": "whatsapp",
        "metadata": _metadata(number),
        "history": [
            {"metadata": progress, "threads": [{"id": customer.wa_id, "messages": messages}]}
        ],
    }


def preferences_value(number: Number, customer: Customer, now: float) -> Change:
    """Return the `value` of a customer's choice about marketing messages."""
    is_stop = customer.wants_no_marketing
    wish = "stop" if is_stop else "resume"
    choice = {
        "user_id": customer.user_id,
        "detail": f"User requested to {wish} marketing messages",
        "category": "marketing_messages",
        "value": wish,
        "timestamp": int(now),
    }
    contact: Change = {"profile": {"name": customer.name}, "user_id": customer.user_id}
    if not customer.hides_phone:
        choice["wa_id"] = contact["wa_id"] = customer.wa_id
    return {
        "messaging_product": "whatsapp",
        "metadata": _metadata(number),
        "contacts": [contact],
        "user_preferences": [choice],
    }


TITLES = {
    100: "Invalid parameter",
    190: "Access token has expired",
    130429: "Rate limit hit",
    131000: "Something went wrong",
    131009: "Parameter value is not valid",
    131026: "Message undeliverable",
    131047: "Re-engagement message",
    131049: "Meta chose not to deliver",
    131050: "User has stopped marketing messages",
    131051: "Unsupported message type",
    131053: "Media upload error",
    131056: "Pair rate limit hit",
    132000: "Number of parameters does not match",
    132001: "Template does not exist",
    132015: "Template is paused",
}


def error_of(code: int, details: str = "") -> dict[str, Any]:
    """Return an error as webhooks carry it."""
    title = TITLES.get(code, f"Error {code}")
    return {
        "code": code,
        "title": title,
        "message": title,
        "error_data": {"details": details or f"{title}."},
        "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
    }


def envelope(account_id: str, changes: list[tuple[str, Change]], *, entries: int = 1) -> Change:
    """Return a body of several changes, spread over several entries."""
    parts: list[list[Change]] = [[] for _ in range(min(entries, len(changes)) or 1)]
    for position, (name, value) in enumerate(changes):
        # In runs, not in turns: what came first stays first.
        parts[position * len(parts) // len(changes)].append({"field": name, "value": value})
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": account_id, "changes": part} for part in parts],
    }


def encode(body: Change, *, escaped: bool = True) -> bytes:
    """Return the bytes that travel and are signed; Meta writes `\\u00e4`."""
    return json.dumps(body, ensure_ascii=escaped, separators=(",", ":")).encode()


def signature(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
