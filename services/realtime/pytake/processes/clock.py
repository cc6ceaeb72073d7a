"""The system's clock, which every process hands to its parts."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present moment (port `Clock`)."""
    return datetime.now(UTC)
