"""What exists on the other side: numbers, customers, messages, files and templates."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pytake.simulator.faults import Dice, Faults

WINDOW_SECONDS = 24 * 3600


class SimulatedTime:
    """Time that may run faster: with speed 1000 Meta's seven days of retries take ten minutes."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._began = time.time()
        self._mark = time.monotonic()

    def now(self) -> float:
        return self._began + (time.monotonic() - self._mark) * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.speed)


@dataclass(slots=True)
class Number:
    """A business number; `secret` signs its deliveries."""

    phone_number_id: str
    display_phone_number: str
    access_token: str
    account_id: str = "100000000000001"
    quality_rating: str = "GREEN"
    messaging_limit: str = "TIER_1K"


@dataclass(slots=True)
class Customer:
    """Somebody with WhatsApp. `dialled` is what people write down, `wa_id` what WhatsApp uses."""

    wa_id: str
    name: str
    dialled: str
    user_id: str
    persona: str = "friendly"
    hides_phone: bool = False
    wrote_at: float | None = None
    written: int = 0
    read_up_to: str | None = None
    """The newest of the customer's messages that the business has marked as read."""
    business_types_until: float = 0.0
    wants_no_marketing: bool = False

    @property
    def has_blocked(self) -> bool:
        """Whether this customer has blocked the business: messages leave and never arrive."""
        return self.persona == "blocked"

    def window_is_open(self, now: float) -> bool:
        return self.wrote_at is not None and now < self.wrote_at + WINDOW_SECONDS


@dataclass(slots=True)
class Sent:
    """A message of the business that was accepted."""

    id: str
    customer: Customer
    phone_number_id: str
    body: dict[str, Any]
    accepted_at: float
    callback_data: str | None
    statuses: list[str] = field(default_factory=list)
    """What webhooks have reported and the receiver has confirmed."""


@dataclass(slots=True)
class MediaFile:
    id: str
    data: bytes
    mime_type: str
    sha256: str
    asked: int = 0


@dataclass(slots=True)
class World:
    """Everything, in memory."""

    dice: Dice
    time: SimulatedTime
    numbers: dict[str, Number]
    faults: Faults = field(default_factory=Faults)
    customers: dict[str, Customer] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    media: dict[str, MediaFile] = field(default_factory=dict)
    templates: list[dict[str, Any]] = field(default_factory=list)
    accepts_strangers: bool = True
    """Whether a message to an unknown number makes a customer with an open window."""

    def number(self, phone_number_id: str | None = None) -> Number:
        """Return the number of that id, or the first one."""
        if phone_number_id is None:
            return next(iter(self.numbers.values()))
        return self.numbers[phone_number_id]

    def customer(self, address: str) -> Customer | None:
        """Find a customer by WhatsApp id, by the number people dial, or by business-scoped id."""
        if address in self.customers:
            return self.customers[address]
        return next((c for c in self.customers.values() if address in (c.dialled, c.user_id)), None)

    def add_customer(
        self, phone: str, name: str, *, persona: str = "friendly", has_written: bool = False
    ) -> Customer:
        """Add a customer, or return the one that is there."""
        digits = "".join(c for c in phone if c.isdigit())
        known = self.customer(digits)
        if known is None:
            wa_id = digits
            if self.dice.happens(self.faults.old_number, "old_number", digits):
                wa_id = _without_ninth_digit(digits)
            known = Customer(
                wa_id=wa_id,
                name=name,
                dialled=digits,
                user_id=f"BR.{digits[::-1]}",
                persona=persona,
                hides_phone=self.dice.happens(self.faults.id_only, "id_only", digits),
            )
            self.customers[wa_id] = known
        if has_written:
            known.wrote_at = self.time.now()
        return known

    def sent_to(self, customer: Customer) -> Iterator[Sent]:
        return (sent for sent in self.sent.values() if sent.customer is customer)


def _without_ninth_digit(digits: str) -> str:
    is_new_mobile = len(digits) == 13 and digits.startswith("55") and digits[4] == "9"
    return digits[:4] + digits[5:] if is_new_mobile else digits
