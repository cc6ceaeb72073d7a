"""Routes of users: everybody may list colleagues, admins make, change and revoke them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from pytake.application.ports import User
from pytake.contract.bodies import ChangeUser, NewUser, RevokeUser, UserBody
from pytake.messages_api.answers import UserInPath, answer, page
from pytake.messages_api.authentication import Admin, SignedIn
from pytake.messages_api.json_bodies import described, json_body
from pytake.messages_api.services import Services, services_of

router = APIRouter(tags=["users"])
Api = Annotated[Services, Depends(services_of)]


def user_body(user: User) -> dict[str, Any]:
    """Return a user as REST gives it."""
    return {
        "id": user.id,
        "organization_id": user.organization_id,
        "role": user.role.value,
        "name": user.name,
        "email": user.email,
        "active": user.is_active,
    }


@router.get("/users")
async def users(principal: SignedIn, api: Api) -> Response:
    """All users of the organization, with who is online."""
    found = await api.users.users(principal.organization_id)
    online = await api.online_users([each.id for each in found])
    return page([{**user_body(each), "online": each.id in online} for each in found], None)


@router.post("/users", status_code=201, response_model=UserBody, openapi_extra=described(NewUser))
async def create_user(
    principal: Admin, api: Api, body: Annotated[NewUser, Depends(json_body(NewUser))]
) -> Response:
    """Make a user."""
    user = await api.manage_users.create(
        principal, email=body.email, name=body.name, role=body.role, password=body.password
    )
    return answer(user_body(user), 201)


@router.patch("/users/{user_id}", response_model=UserBody, openapi_extra=described(ChangeUser))
async def change_user(
    principal: Admin,
    api: Api,
    user_id: UserInPath,
    body: Annotated[ChangeUser, Depends(json_body(ChangeUser))],
) -> Response:
    """Change name, role, or whether the user is active."""
    user = await api.manage_users.change(
        principal, user_id, name=body.name, role=body.role, is_active=body.active
    )
    return answer(user_body(user))


@router.post("/users/{user_id}/revoke", status_code=204, openapi_extra=described(RevokeUser))
async def revoke_user(
    principal: Admin,
    api: Api,
    user_id: UserInPath,
    body: Annotated[RevokeUser, Depends(json_body(RevokeUser, or_nothing=True))],
) -> Response:
    """End all sessions of the user, or with `token_id` (the `jti`) the one of a token."""
    await api.manage_users.revoke(principal, user_id, body.token_id)
    return Response(status_code=204)
