"""What goes wrong, how often, and the dice that decide it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Faults:
    """The probability of each fault, from 0 to 1, for every item that it can happen to."""

    duplicate: float = 0.0
    """The delivery comes again, a while later."""
    simultaneous_duplicate: float = 0.0
    """The delivery comes twice at the same moment."""
    reorder: float = 0.0
    """The item overtakes or falls behind others, within `reorder_window` seconds."""
    batch: float = 0.0
    """The item waits to share a body with others: messages, statuses, several entries."""
    drop: float = 0.0
    """Our 200 gets lost: Meta delivers again, later and later."""
    bad_signature: float = 0.0
    """Somebody delivers a forged copy first."""
    unescaped: float = 0.0
    """The body is plain UTF-8 instead of the escaped form."""
    large_body: float = 0.0
    """The body is padded to 3 MB with members that nobody knows."""
    unknown_field: float = 0.0
    """A change of a field that nobody knows travels along."""
    unknown_type: float = 0.0
    """The customer sends something that is new to us."""
    poison: float = 0.0
    """An item that makes no sense travels along."""
    status_before_response: float = 0.0
    """The first status is faster than the answer to the request."""
    read_without_delivered: float = 0.0
    """The customer was looking at the chat."""
    failed_status: float = 0.0
    """The message is accepted and fails later, with one of `failure_codes`."""
    refused: float = 0.0
    """The request is refused for good, with one of `failure_codes`."""
    busy: float = 0.0
    """The request is refused for now (131000, 130429 or a bare 500): the next one may go."""
    lost_response: float = 0.0
    """The message is taken and the answer never comes."""
    lost_request: float = 0.0
    """Nothing is taken and no answer comes."""
    slow_media: float = 0.0
    """A download takes `slow_media_seconds`."""
    expired_media: float = 0.0
    """The first address that is given for a file has expired already."""
    old_number: float = 0.0
    """The customer's WhatsApp id lacks Brazil's ninth digit."""
    id_only: float = 0.0
    """The customer hides the phone number behind a business-scoped id."""
    conversation_object: float = 0.0
    """Statuses carry `conversation` and `pricing`, as before v24."""
    echo: float = 0.0
    """The business answers with the phone app."""
    history: float = 0.0
    """What the phone app has kept of the customer comes once more, days late."""

    reorder_window: float = 2.0
    slow_media_seconds: float = 3.0
    failure_codes: tuple[int, ...] = (131026, 131047, 131049, 131051, 131053, 132015)

    @classmethod
    def all_at(cls, probability: float) -> "Faults":
        """Return every fault at one probability."""
        names = [f.name for f in fields(cls) if isinstance(f.default, float)]
        odds = [name for name in names if not name.endswith(("window", "seconds"))]
        return cls().changed(dict.fromkeys(odds, probability))

    def changed(self, values: Mapping[str, Any]) -> "Faults":
        """Return these faults with some set anew.

        Raises:
            ValueError: There is no fault of this name, or no number was given.
        """
        known = {f.name for f in fields(self)}
        changes: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"there is no fault {name!r}")
            if name == "failure_codes":
                changes[name] = tuple(int(code) for code in value)
            else:
                changes[name] = float(value)
        return replace(self, **changes)


class Dice:
    """Chance that depends on the seed and on what it is asked about, and on nothing else."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def roll(self, *key: object) -> float:
        """Return a number from 0 up to 1, always the same for the same key."""
        text = "|".join(str(part) for part in (self.seed, *key))
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64

    def happens(self, probability: float, *key: object) -> bool:
        """Whether something of this probability happens to the thing that the key names."""
        return probability > 0 and self.roll(*key) < probability

    def between(self, low: float, high: float, *key: object) -> float:
        return low + (high - low) * self.roll(*key)

    def index(self, count: int, *key: object) -> int:
        """Return a place in a list of so many."""
        return min(count - 1, int(self.roll(*key) * count))
