"""How far a message has travelled, and the only way it may move.

WhatsApp reports a message as sent, delivered, read or failed. The reports come
late, twice and out of order. The rule below ends in the same place whatever the
order, so a webhook can always be replayed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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


_WAY = (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ)


@dataclass(frozen=True, slots=True)
class StatusTimes:
    """When a message reached each status: the first report of it counts.

    A customer who is looking at the chat reads without a delivery being reported. What must
    have happened on the way then takes the later time and is `implied`, until a report of its
    own tells better.
    """

    at: Mapping[MessageStatus, datetime] = field(default_factory=dict)
    implied: frozenset[MessageStatus] = frozenset()

    def reported(self, status: MessageStatus, moment: datetime) -> "StatusTimes":
        """Return the times after one more report. Any order of reports ends in the same ones,
        but for implied times, which are those of the first report that implied them."""
        if status is MessageStatus.PENDING:
            return self
        at, implied = dict(self.at), set(self.implied)
        if status not in at or status in implied:
            at[status] = moment
            implied.discard(status)
        if status in _WAY:
            for earlier in _WAY[: _WAY.index(status)]:
                if earlier not in at:
                    at[earlier] = moment
                    implied.add(earlier)
        if at == self.at and implied == self.implied:
            return self
        return StatusTimes(at, frozenset(implied))
