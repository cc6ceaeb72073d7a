"""Who is asking, and whether its organization may ask for more, before any route is looked for.

A request over the organization's quota must cost next to nothing, or the quota would not
protect anybody: it is answered here, without routing, dependencies or a body.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pytake.application.access_ports import TokenVerifier
from pytake.domain.errors import NotAuthenticated, PytakeError, TooMuch
from pytake.domain.principal import Principal
from pytake.messages_api.answers import PREFIX
from pytake.messages_api.errors import problem
from pytake.messages_api.throttle import Throttle

SIGNED_BY_OTHERS = f"{PREFIX}/webhooks/"


@dataclass(frozen=True, slots=True)
class Caller:
    """What the token of a request said: a principal, or why there is none."""

    principal: Principal | None
    refusal: PytakeError | None = None

    def principal_or_refuse(self) -> Principal:
        """Return the principal; raises the refusal where there is none."""
        if self.principal is None:
            raise self.refusal or NotAuthenticated()
        return self.principal


class Door:
    """Reads the bearer token of each request below the prefix, once."""

    def __init__(self, app: ASGIApp, verify: TokenVerifier, throttle: Throttle) -> None:
        self._app = app
        self._verify = verify
        self._throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        if not path.startswith(SIGNED_BY_OTHERS):
            caller = await self._caller(Request(scope))
            state = scope.setdefault("state", {})
            state["caller"] = caller
            try:
                if caller.principal is not None:
                    self._throttle.admit_organization(caller.principal.organization_id)
            except TooMuch as refusal:
                state["error_code"] = refusal.code.value
                await problem(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _caller(self, request: Request) -> Caller:
        try:
            return Caller(await self._verify(bearer_token(request)))
        except PytakeError as refusal:
            return Caller(None, refusal)


def bearer_token(request: Request) -> str:
    """Return the token of the Authorization header, the only place where one is looked for.

    Raises:
        NotAuthenticated: There is none.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise NotAuthenticated(detail="Send the access token as `Authorization: Bearer …`.")
    return token.strip()
