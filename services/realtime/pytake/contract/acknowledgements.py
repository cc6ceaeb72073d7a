"""What the server answers to each client event that asks for an acknowledgement.

Either `{ok: true, …}` with the members of the model, or `{ok: false, error}` where
`error` is the object of the `error` event.
"""

from typing import Any, Literal

from pytake.contract.bodies import Answer, Time, Uuid
from pytake.contract.server_events import ErrorEvent


class Done(Answer):
    """The event was carried out; nothing more to say."""

    ok: Literal[True] = True


class RefusedAnswer(Answer):
    """The event was refused, for the reason that `error.code` names."""

    ok: Literal[False] = False
    error: ErrorEvent


class Joined(Done):
    """The same as `joined_conversation`, which comes beside it."""

    conversation_id: Uuid
    seq: int
    epoch: str
    recovered: bool
    replayed: int


class JoinedMany(Done):
    """One answer for each conversation asked for, in the same order."""

    conversations: list[Joined | RefusedAnswer]


class Left(Done):
    conversation_id: Uuid


class MarkedRead(Done):
    conversation_id: Uuid
    seq: int
    unread_count: int


class Refreshed(Done):
    expires_at: Time


class Ponged(Done):
    timestamp: Time
    t: Any = None


ACKNOWLEDGEMENTS: dict[str, type[Done]] = {
    "join_conversation": Joined,
    "join_conversations": JoinedMany,
    "leave_conversation": Left,
    "typing_start": Done,
    "typing_stop": Done,
    "mark_read": MarkedRead,
    "message:receipt": Done,
    "auth:refresh": Refreshed,
    "ping": Ponged,
}
"""The answer to each client event when all is well."""
