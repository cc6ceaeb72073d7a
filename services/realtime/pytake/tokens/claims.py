"""What a token must say, and what its words become.

Subject and organization that are not UUIDs are another provider's ids; UUIDv5 of issuer
and value stands for them, on every pod the same.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pytake.domain.errors import ErrorCode, NotAuthenticated
from pytake.domain.ids import OrganizationId, UserId, parse_uuid, uuid_of_foreign_id
from pytake.domain.principal import Principal, Role

MAX_ID_CHARACTERS = 255
"""OpenID Connect's own bound for `sub`."""

MAX_NAME_CHARACTERS = 200

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_LAST_SECOND = 253_402_300_799
"""The end of the year 9999, beyond which Python has no dates."""


def principal_of(claims: Mapping[str, Any], names: Mapping[str, str]) -> Principal:
    """Return who the verified claims speak of.

    Args:
        claims: The payload of a token whose signature and times were checked.
        names: Our name of a claim → the provider's, where they differ.

    Raises:
        NotAuthenticated: A claim is missing, of the wrong type, or names an unknown role.
    """

    def claim(name: str) -> Any:
        return claims.get(names.get(name, name))

    issuer = claims.get("iss")
    issuer = issuer if isinstance(issuer, str) else ""
    name = claim("name")
    return Principal(
        user_id=UserId(_id("sub", claim("sub"), issuer)),
        organization_id=OrganizationId(_id("organization_id", claim("organization_id"), issuer)),
        role=_role(claim("role")),
        expires_at=_required_time("exp", claims.get("exp")),
        name=_CONTROL.sub(" ", name)[:MAX_NAME_CHARACTERS].strip() if isinstance(name, str) else "",
        token_id=_token_id(claims.get("jti")),
        issued_at=_time(claims.get("iat")),
    )


def _id(claim: str, value: Any, issuer: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARACTERS:
        raise _invalid(claim)
    return parse_uuid(value) or uuid_of_foreign_id(issuer, _encodable(claim, value))


def _encodable(claim: str, value: str) -> str:
    if _CONTROL.search(value):
        raise _invalid(claim)
    return value


def _role(value: Any) -> Role:
    try:
        return Role(value)
    except ValueError:
        raise _invalid("role") from None


def _token_id(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARACTERS:
        raise _invalid("jti")
    return _encodable("jti", value)


def _required_time(claim: str, value: Any) -> datetime:
    moment = _time(value)
    if moment is None:
        raise _invalid(claim)
    return moment


def _time(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return datetime.fromtimestamp(min(max(float(value), 0), _LAST_SECOND), UTC)


def _invalid(claim: str) -> NotAuthenticated:
    return NotAuthenticated(ErrorCode.INVALID_TOKEN, f"The claim {claim} is missing or not valid.")
