"""The 24 hours in which WhatsApp lets a business write freely.

Only the customer's own message opens or renews the window, counted from the
*provider's* time of that message. Outside it only templates may be sent.
Source: Cloud API, customer service windows.
"""

from datetime import datetime, timedelta

WINDOW = timedelta(hours=24)

SAFETY_MARGIN = timedelta(seconds=60)
"""What is taken this shortly before the end could reach WhatsApp after it, and fail there."""


def window_after(inbound_at: datetime, current: datetime | None) -> datetime:
    """Return when the window closes after one more message of the customer.

    Messages come late and out of order; an old one never shortens the window.
    """
    expires = inbound_at + WINDOW
    return expires if current is None else max(current, expires)


def is_open(expires_at: datetime | None, now: datetime) -> bool:
    """Whether free text may be sent now; a window that was never opened is closed."""
    return expires_at is not None and now < expires_at


def is_open_for_new(expires_at: datetime | None, now: datetime) -> bool:
    """Whether free text may still be taken from its author, with time left to send it."""
    return is_open(expires_at, now + SAFETY_MARGIN)
