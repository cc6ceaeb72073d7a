"""From the CONNECT packet to an admitted connection: token, user, place under the cap."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import ValidationError

from pytake.application.access_ports import TokenVerifier
from pytake.application.connection_ports import ConnectionPlaces, Seating
from pytake.application.ports import UserDirectory
from pytake.contract.client_events import HandshakeAuth
from pytake.domain.errors import (
    ErrorCode,
    InvalidPayload,
    NotAuthenticated,
    TooMuch,
    Unavailable,
)
from pytake.domain.ids import ConnectionId
from pytake.domain.principal import Principal
from pytake.gateway.admission import Admission
from pytake.gateway.connection import KNOWN_FEATURES, Connection

log = structlog.get_logger()

STORE_SECONDS = 3.0
KNOWN_USERS = 20_000
_NO_TIME = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A connection that may come in, and what its place under the cap cost others."""

    connection: Connection
    seating: Seating = field(default_factory=Seating)
    previous: ConnectionId | None = None
    reconnects_after: str | None = None


class Handshake:
    """Authenticates connections and gives them places.

    Args:
        verify: From a token to its principal.
        users: Where users are created at their first use.
        places: The cap of the cluster.
        admission: Counts failures by address.
    """

    def __init__(
        self,
        verify: TokenVerifier,
        users: UserDirectory,
        places: ConnectionPlaces,
        admission: Admission,
    ) -> None:
        self._verify = verify
        self._users = users
        self._places = places
        self._admission = admission
        self._known: OrderedDict[Principal, None] = OrderedDict()

    async def __call__(self, sid: str, address: str, auth: Any) -> Admitted:
        """Check the auth object and take a place; failures of one `address` are counted.

        Raises:
            NotAuthenticated: The token is no good.
            InvalidPayload: Another member of the auth object is malformed.
            TooMuch: This address fails too often (`rate_limited`).
            Unavailable: The token cannot be judged at the moment.
        """
        try:
            asked = _parse(auth)
            principal = await self.authenticate(asked.token)
        except (NotAuthenticated, InvalidPayload):
            if (wait := self._admission.failed(address)) > 0:
                raise TooMuch(ErrorCode.RATE_LIMITED, retry_after_ms=int(wait * 1000)) from None
            raise
        await self._ensure_known(principal)
        features = frozenset(asked.features) & KNOWN_FEATURES
        now = asyncio.get_running_loop().time()
        connection = Connection(sid, principal, features, now)
        previous = asked.resume.previous_sid if asked.resume else None
        instead_of = ConnectionId(previous) if previous and previous != sid else None
        seating = await self._places.take(
            principal.user_id, ConnectionId(sid), instead_of=instead_of
        )
        cause = (asked.resume.cause or "unknown") if asked.resume else None
        return Admitted(connection, seating, instead_of, cause)

    async def authenticate(self, token: str) -> Principal:
        """Return the principal of a token.

        Raises:
            NotAuthenticated, Unavailable: As the verifier.
        """
        try:
            async with asyncio.timeout(STORE_SECONDS):
                return await self._verify(token)
        except TimeoutError:
            raise Unavailable() from None

    async def _ensure_known(self, principal: Principal) -> None:
        """Create user and organization at the first use that this pod sees."""
        key = _identity(principal)
        if key in self._known:
            self._known.move_to_end(key)
            return
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._users.ensure_principal(principal)
        except TimeoutError:
            raise Unavailable() from None
        self._known[key] = None
        if len(self._known) > KNOWN_USERS:
            self._known.popitem(last=False)


def _identity(principal: Principal) -> Principal:
    """Return what of a principal the directory stores."""
    return Principal(
        user_id=principal.user_id,
        organization_id=principal.organization_id,
        role=principal.role,
        name=principal.name,
        expires_at=_NO_TIME,
    )


def _parse(auth: Any) -> HandshakeAuth:
    if not isinstance(auth, dict) or not isinstance(auth.get("token"), str):
        raise NotAuthenticated(detail="The handshake has no token.")
    try:
        return HandshakeAuth.model_validate(auth)
    except ValidationError as error:
        members = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
        if "token" in members:
            raise NotAuthenticated() from None
        raise InvalidPayload(detail=f"auth.{min(map(str, members))} is malformed.") from None
