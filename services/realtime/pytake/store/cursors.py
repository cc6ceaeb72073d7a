"""Where a page of a list ended: the moment and the id of its last row, as opaque text."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

import orjson
from sqlalchemy import Column, ColumnElement, literal, tuple_

from pytake.domain.errors import InvalidPayload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
Place = tuple[datetime, str]


def cursor_after(moment: datetime, row_id: str) -> str:
    """Return the cursor of a page whose last row is this one."""
    place = orjson.dumps([(moment - _EPOCH) // _MICROSECOND, row_id])
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """Read a cursor.

    Raises:
        InvalidPayload: It is not one that we gave.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        microseconds, row_id = orjson.loads(base64.urlsafe_b64decode(padded))
        return _EPOCH + int(microseconds) * _MICROSECOND, _text(row_id)
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise InvalidPayload(detail="The cursor is not one that we gave.") from None


def is_before(columns: tuple[Column[datetime], Column[str]], place: Place) -> ColumnElement[bool]:
    """Whether a row comes after the place in a list that shows the newest first."""
    moment, row_id = columns
    return tuple_(moment, row_id) < tuple_(
        literal(place[0], moment.type), literal(place[1], row_id.type)
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError("no id")
    return value
