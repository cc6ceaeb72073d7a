"""Times on the wire: ISO 8601 in UTC with three decimals and `Z`."""

from datetime import UTC, datetime


def wire_time(moment: datetime) -> str:
    """Return the moment as clients get it, such as `2026-11-22T12:30:00.123Z`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def optional_wire_time(moment: datetime | None) -> str | None:
    """Return the moment as clients get it, or None."""
    return None if moment is None else wire_time(moment)
