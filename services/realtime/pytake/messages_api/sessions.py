"""Routes of signing in. They need no token, so the address pays for them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from pytake.application.sign_in import Session, SignIn
from pytake.contract.bodies import Login, RefreshToken, Tokens
from pytake.domain.errors import Refused
from pytake.messages_api.answers import answer
from pytake.messages_api.json_bodies import described, json_body
from pytake.messages_api.services import Services, services_of
from pytake.messages_api.users import user_body

Api = Annotated[Services, Depends(services_of)]


async def _of_the_address(request: Request, api: Api) -> None:
    await api.throttle.admit(request, None)


router = APIRouter(tags=["sessions"], dependencies=[Depends(_of_the_address)])


@router.post("/auth/login", response_model=Tokens, openapi_extra=described(Login))
async def login(
    request: Request, api: Api, body: Annotated[Login, Depends(json_body(Login))]
) -> Response:
    """Sign in with e-mail address and password."""
    sign_in = _sign_in(api)
    await api.throttle.admit_login(request, body.email.strip().lower())
    return answer(_tokens(await sign_in.login(body.email, body.password)))


@router.post("/auth/refresh", response_model=Tokens, openapi_extra=described(RefreshToken))
async def refresh(
    api: Api, body: Annotated[RefreshToken, Depends(json_body(RefreshToken))]
) -> Response:
    """Use up a refresh token for new ones. Using one twice ends the whole session."""
    return answer(_tokens(await _sign_in(api).refresh(body.refresh_token)))


@router.post("/auth/logout", status_code=204, openapi_extra=described(RefreshToken))
async def logout(
    api: Api, body: Annotated[RefreshToken, Depends(json_body(RefreshToken))]
) -> Response:
    """End the session of a refresh token; also if it had ended before."""
    await _sign_in(api).logout(body.refresh_token)
    return Response(status_code=204)


def _sign_in(api: Services) -> SignIn:
    if api.sign_in is None:
        raise Refused(detail="People sign in with the identity provider here.")
    return api.sign_in


def _tokens(session: Session) -> dict[str, object]:
    return {
        "access_token": session.access_token,
        "refresh_token": session.refresh_token,
        "token_type": "bearer",
        "expires_in": session.expires_in,
        "user": user_body(session.user),
    }
