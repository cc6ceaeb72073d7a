"""How far a message has travelled, and the only way it may move.

WhatsApp reports a message as sent, delivered, read or failed. The reports come
late, twice and out of order. The rule below ends in the same place whatever the
order, so a webhook can always be replayed.
"""

from enum import StrEnum


class MessageStatus(StrEnum):
    """In rank order: a later member outranks an earlier one."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"


# A delivery outranks a failure: it proves that the message arrived after all.
RANK = {status: rank for rank, status in enumerate(MessageStatus)}

_PROVIDER_NAMES = {"accepted": MessageStatus.PENDING, "played": MessageStatus.READ}


def status_from_provider(name: str) -> MessageStatus | None:
    """Translate the provider's word for a status; None for a word that is new to us."""
    if name in _PROVIDER_NAMES:
        return _PROVIDER_NAMES[name]
    return MessageStatus(name) if name in RANK else None


def advance(current: MessageStatus, reported: MessageStatus) -> MessageStatus:
    """Return the status of a message after one more report about it.

    A message never moves back: a report older than what is known changes
    nothing. Reporting the same status twice changes nothing either.
    """
    return max(current, reported, key=RANK.__getitem__)
