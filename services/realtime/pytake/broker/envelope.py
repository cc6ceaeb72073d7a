"""How a durable event travels between processes: one header line, then its data as it is.

    {"o": organization, "c": conversation, "s": seq, "e": event, "a": acl version,
     "b": organization's acl version, "t": created at (µs), "q": published at (µs),
     "p": traceparent}\n<data>

The data is never parsed on the way: what the store wrote is what the client reads.
"""

import time
from datetime import UTC, datetime
from typing import Any

import orjson

from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId, OrganizationId

CHANNEL_PREFIX = "pytake:conversation:"


class BadEnvelope(ValueError):
    """The bytes are not an event of ours."""


def channel_of(conversation_id: str) -> str:
    """Return the channel on which a conversation's events travel."""
    return f"{CHANNEL_PREFIX}{conversation_id}"


def encode(event: ConversationEvent) -> bytes:
    """Return the event as it is published."""
    header: dict[str, Any] = {
        "o": event.organization_id,
        "c": event.conversation_id,
        "s": event.seq,
        "e": event.name,
        "a": event.acl_version,
        "b": event.organization_acl_version,
        "t": round(event.created_at.timestamp() * 1_000_000),
        "q": time.time_ns() // 1000,
    }
    if event.traceparent is not None:
        header["p"] = event.traceparent
    return orjson.dumps(header) + b"\n" + event.data


def decode(body: bytes) -> ConversationEvent:
    """Return the event that was published.

    Raises:
        BadEnvelope: Somebody else wrote on our channel.
    """
    header, newline, data = body.partition(b"\n")
    try:
        if not newline:
            raise BadEnvelope("no header line")
        fields = orjson.loads(header)
        committed_at = fields["t"] / 1_000_000
        return ConversationEvent(
            organization_id=OrganizationId(fields["o"]),
            conversation_id=ConversationId(fields["c"]),
            seq=int(fields["s"]),
            name=str(fields["e"]),
            data=data,
            created_at=datetime.fromtimestamp(committed_at, UTC),
            acl_version=int(fields["a"]),
            organization_acl_version=int(fields["b"]),
            traceparent=fields.get("p"),
            published_at=fields.get("q", 0) / 1_000_000,
            received_at=time.time(),
            committed_at=committed_at,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadEnvelope(str(error)) from error
