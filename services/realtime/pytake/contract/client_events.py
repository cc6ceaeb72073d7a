"""What a client may send over the socket: one model per event.

Payloads are objects; none counts as `{}`. Unknown members are ignored, so that a
newer client can talk to an older server. A malformed one is `invalid_payload`.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt

from pytake.domain.ids import parse_uuid

MAX_JOINS_AT_ONCE = 200
MAX_SID = 64


def _canonical_uuid(value: str) -> str:
    canonical = parse_uuid(value)
    if canonical is None:
        raise ValueError("must be a UUID")
    return canonical


UuidText = Annotated[
    str,
    Field(strict=True, max_length=36, json_schema_extra={"format": "uuid"}),
    AfterValidator(_canonical_uuid),
]
MAX_DEPTH = 32


def _not_too_deep(value: Any, left: int = MAX_DEPTH) -> Any:
    if isinstance(value, dict | list):
        if left == 0:
            raise ValueError(f"must not be nested more than {MAX_DEPTH} deep")
        for each in value.values() if isinstance(value, dict) else value:
            _not_too_deep(each, left - 1)
    return value


Anything = Annotated[Any, AfterValidator(lambda value: _not_too_deep(value))]
"""Any JSON, which is given back as it came, as long as every reader can follow it."""

MAX_SEQ = 2**53 - 1
"""The largest integer that every client can name exactly; no log grows so long."""

Seq = Annotated[StrictInt, Field(ge=0, le=MAX_SEQ)]


def _at_most_max_seq(value: Any) -> Any:
    # JSON has one kind of number: so large a float is an integer, too.
    return MAX_SEQ if isinstance(value, int | float) and value > MAX_SEQ else value


Cursor = Annotated[Seq, BeforeValidator(_at_most_max_seq)]
"""A `seq` that may lie in the future: it is above every head and answered as such."""


class ClientPayload(BaseModel):
    """Base of all payloads: frozen, and deaf to members it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class JoinConversation(ClientPayload):
    """Join a conversation; with `last_seq`, what was missed is replayed first."""

    conversation_id: UuidText
    last_seq: Cursor | None = None
    epoch: Annotated[str, Field(strict=True, max_length=64)] | None = None


class JoinConversations(ClientPayload):
    """Join up to 200 conversations; counts as one event."""

    conversations: Annotated[list[JoinConversation], Field(max_length=MAX_JOINS_AT_ONCE)]


class LeaveConversation(ClientPayload):
    conversation_id: UuidText


class TypingStart(ClientPayload):
    """Others in the conversation see that the user is typing, for at most 6 s."""

    conversation_id: UuidText


class TypingStop(ClientPayload):
    conversation_id: UuidText


class MarkRead(ClientPayload):
    """The user has read up to `seq`; never moves back."""

    conversation_id: UuidText
    seq: Seq


class ReceiptItem(ClientPayload):
    conversation_id: UuidText
    seq: Seq


class MessageReceipt(ClientPayload):
    """What was shown, and when by the client's clock (milliseconds since 1970)."""

    items: Annotated[list[ReceiptItem], Field(max_length=500)]
    t: float


class AuthRefresh(ClientPayload):
    """A fresh token of the same user and organization."""

    token: Annotated[str, Field(strict=True, min_length=1, max_length=16_384)]


class Ping(ClientPayload):
    """Answered by `pong` with the server's time and the same `t`."""

    t: Anything = None


CLIENT_EVENTS: dict[str, type[ClientPayload]] = {
    "join_conversation": JoinConversation,
    "join_conversations": JoinConversations,
    "leave_conversation": LeaveConversation,
    "typing_start": TypingStart,
    "typing_stop": TypingStop,
    "mark_read": MarkRead,
    "message:receipt": MessageReceipt,
    "auth:refresh": AuthRefresh,
    "ping": Ping,
}
"""Every event that a client may send, by its name on the wire."""


class HandshakeClient(ClientPayload):
    name: Annotated[str, Field(max_length=64)] = ""
    version: Annotated[str, Field(max_length=64)] = ""


def _a_sid_or_none(value: Any) -> Any:
    is_one = isinstance(value, str) and len(value) <= MAX_SID and value.isascii()
    return value if is_one else None


class HandshakeResume(ClientPayload):
    """What a reconnecting client knows of its last connection: `cause` is `network`, or
    `server_drain` after `server:draining`; it is counted and decides nothing. A
    `previous_sid` that cannot name a connection is ignored."""

    previous_sid: Annotated[
        Annotated[str, Field(max_length=MAX_SID)] | None, BeforeValidator(_a_sid_or_none)
    ] = None
    cause: Annotated[str, Field(max_length=32)] | None = None


class HandshakeAuth(ClientPayload):
    """The `auth` object of the Socket.IO CONNECT packet."""

    token: Annotated[str, Field(strict=True, min_length=1, max_length=16_384)]
    client: HandshakeClient | None = None
    resume: HandshakeResume | None = None
    features: Annotated[list[str], Field(max_length=16)] = []
