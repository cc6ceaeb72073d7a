"""Routes of admins about people: what is kept of a customer, and its removal."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from pytake.domain.ids import ContactId
from pytake.messages_api.answers import answer, uuid_or_refuse
from pytake.messages_api.authentication import Admin
from pytake.messages_api.services import Services, services_of

router = APIRouter(tags=["administration"])
Api = Annotated[Services, Depends(services_of)]


async def _contact_id(
    contact_id: Annotated[str, Path(json_schema_extra={"format": "uuid"})],
) -> ContactId:
    return ContactId(uuid_or_refuse("contact_id", contact_id))


ContactInPath = Annotated[ContactId, Depends(_contact_id)]


@router.get("/contacts/{contact_id}/export")
async def export(principal: Admin, api: Api, contact_id: ContactInPath) -> Response:
    """Everything that is kept about a customer."""
    return answer(await api.personal_data.export(principal, contact_id))


@router.delete("/contacts/{contact_id}", status_code=204)
async def erase(principal: Admin, api: Api, contact_id: ContactInPath) -> Response:
    """Forget a customer: texts, files, names and numbers; `seq` stays, as tombstones."""
    await api.personal_data.erase(principal, contact_id)
    return Response(status_code=204)
