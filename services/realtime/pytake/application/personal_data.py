"""A customer asks what is kept of him, or to be forgotten: data protection law."""

from collections.abc import Mapping
from typing import Any

from pytake.application.access_ports import AuditEntry, AuditLog
from pytake.application.channel_ports import ContactBook, MediaFiles
from pytake.application.ports import Clock
from pytake.domain.errors import NotFound
from pytake.domain.ids import ContactId
from pytake.domain.principal import Principal


class PersonalData:
    """Exports and erases contacts; who may is decided before."""

    def __init__(
        self, contacts: ContactBook, files: MediaFiles, audit: AuditLog, clock: Clock
    ) -> None:
        self._contacts = contacts
        self._files = files
        self._audit = audit
        self._clock = clock

    async def export(self, principal: Principal, contact_id: ContactId) -> Mapping[str, Any]:
        """Return everything that is kept about a contact, as JSON.

        Raises:
            NotFound: There is no such contact in the organization.
        """
        exported = await self._contacts.export(principal.organization_id, contact_id)
        if exported is None:
            raise NotFound
        await self._note(principal, contact_id, "contact.exported")
        return exported

    async def erase(self, principal: Principal, contact_id: ContactId) -> None:
        """Remove texts, names, identifiers and files; the numbers of the log stay.

        Safe to repeat: what a crash has left over is removed the next time.

        Raises:
            NotFound: There is no such contact in the organization.
        """
        keys = await self._contacts.erase(principal.organization_id, contact_id)
        if keys is None:
            raise NotFound
        await self._files.delete(keys)
        await self._note(principal, contact_id, "contact.erased")

    async def _note(self, principal: Principal, contact_id: ContactId, action: str) -> None:
        await self._audit.record(
            AuditEntry(
                organization_id=principal.organization_id,
                at=self._clock(),
                action=action,
                actor=principal.user_id,
                subject=f"contact:{contact_id}",
            )
        )
