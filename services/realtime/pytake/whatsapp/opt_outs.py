"""Customers who want no marketing: WhatsApp tells so by a webhook of its own, or by an error."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pytake.application.channel_ports import ContactBook
from pytake.contract.failures import whatsapp
from pytake.domain.ids import ContactId, ConversationId, OrganizationId
from pytake.whatsapp.provider_errors import OPTED_OUT_CODE

ShowOnLists = Callable[[Sequence[ConversationId]], Awaitable[None]]

OPTED_OUT = whatsapp(OPTED_OUT_CODE)


class OptOuts:
    """Keeps what customers have chosen, and shows it where their conversations are listed."""

    def __init__(self, contacts: ContactBook, show_on_lists: ShowOnLists) -> None:
        self._contacts = contacts
        self._show_on_lists = show_on_lists

    async def choose(
        self,
        organization_id: OrganizationId,
        contact_id: ContactId,
        *,
        is_wanted: bool,
        chosen_at: datetime,
    ) -> None:
        """Keep a choice, if it is newer than the one that is known."""
        changed = await self._contacts.choose_marketing(
            organization_id, contact_id, is_wanted=is_wanted, chosen_at=chosen_at
        )
        if changed:
            await self._show_on_lists(changed)

    async def after_error(
        self,
        organization_id: OrganizationId,
        contact_id: ContactId,
        error: Mapping[str, Any] | None,
        at: datetime,
    ) -> None:
        """Learn from the `error` of a message that its customer had opted out."""
        if error is not None and error.get("code") == OPTED_OUT:
            await self.choose(organization_id, contact_id, is_wanted=False, chosen_at=at)
