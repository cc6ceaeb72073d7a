"""What WhatsApp tells beside messages: of numbers, templates, the account and customers' choices.

Such a delivery names the business account, and a number only by how it is shown; which
organization it is for follows from what messages have told of the account. What is new to us
is counted and forgotten.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pytake.application.channel_ports import (
    ChannelNews,
    ContactBook,
    NewsItem,
    SendingChannels,
    Templates,
)
from pytake.application.ports import Channel
from pytake.domain.ids import OrganizationId
from pytake.domain.phone import variants
from pytake.whatsapp.inbound import MAX_PROVIDER_ID, NotUnderstood, provider_time
from pytake.whatsapp.opt_outs import OptOuts
from pytake.whatsapp.payloads import ERRORS, ChangeItem, Json
from pytake.whatsapp.provider_errors import read_errors
from pytake.whatsapp.stop_number import StopNumber

KEPT = frozenset(
    (
        "account_alerts",
        "account_review_update",
        "account_update",
        "business_capability_update",
        ERRORS,
        "flows",
        "message_template_components_update",
        "message_template_quality_update",
        "message_template_status_update",
        "phone_number_name_update",
        "phone_number_quality_update",
        "security",
        "template_category_update",
    )
)
"""What an admin is shown, as it came."""


@dataclass(frozen=True, slots=True)
class NewsPorts:
    """What news is given to."""

    channels: SendingChannels
    templates: Templates
    news: ChannelNews
    contacts: ContactBook
    opt_outs: OptOuts
    stop_number: StopNumber


@dataclass(frozen=True, slots=True)
class _Addressed:
    """News, and whose it is; `channel` is None where only the settings tell whose."""

    item: ChangeItem
    organization_id: OrganizationId
    channel: Channel | None
    received_at: datetime


class NewsHandler:
    """Handles one change that carries no message and no status.

    Args:
        channel_of: Finds a number of ours by WhatsApp's id of it.
        default_organization: For whom news is that names nothing of ours.
    """

    def __init__(
        self,
        ports: NewsPorts,
        channel_of: Callable[[str], Awaitable[Channel | None]],
        default_organization: OrganizationId | None,
    ) -> None:
        self._ports = ports
        self._channel_of = channel_of
        self._default_organization = default_organization
        self._effects: Mapping[str, Callable[[_Addressed], Awaitable[None]]] = {
            "message_template_status_update": self._template_status,
            "phone_number_quality_update": self._number_quality,
            "user_preferences": self._preferences,
            "user_id_update": self._new_ids,
            ERRORS: self._errors,
        }

    async def __call__(self, item: ChangeItem, item_id: str, received_at: datetime) -> str:
        """Return the outcome: `applied`, or `ignored` for what is new to us or nobody's.

        Raises:
            NotUnderstood: It lacks what its field must have.
            Unavailable: The store is away; it may be done again.
        """
        effect = self._effects.get(item.field)
        if effect is None and item.field not in KEPT:
            return "ignored"
        channel = await self._find_channel(item)
        organization = channel.organization_id if channel else self._default_organization
        if organization is None:
            return "ignored"
        addressed = _Addressed(item, organization, channel, received_at)
        if effect is not None:
            await effect(addressed)
        if item.field in KEPT:
            await self._ports.news.put(
                NewsItem(
                    id=item_id,
                    organization_id=organization,
                    channel_id=channel.id if channel else None,
                    kind=item.field,
                    details=item.value,
                    received_at=received_at,
                )
            )
        return "applied"

    async def _find_channel(self, item: ChangeItem) -> Channel | None:
        if item.phone_number_id:
            return await self._channel_of(item.phone_number_id)
        if not item.account_id:
            return None
        shown = item.value.get("display_phone_number")
        return await self._ports.channels.channel_of_account(
            item.account_id, shown if isinstance(shown, str) else None
        )

    async def _template_status(self, news: _Addressed) -> None:
        value = news.item.value
        name, language = value.get("message_template_name"), value.get("message_template_language")
        if not isinstance(name, str) or not isinstance(language, str):
            raise NotUnderstood("news of a template without its name")
        event = str(value.get("event", "")).upper()
        await self._ports.templates.change_status(news.organization_id, name, language, event)

    async def _number_quality(self, news: _Addressed) -> None:
        if news.channel is None:
            return
        value, facts = news.item.value, {}
        limit = value.get("current_limit")
        if isinstance(limit, str) and limit:
            facts["messaging_limit"] = limit
        if value.get("event") == "FLAGGED":
            facts["quality_rating"] = "RED"
        await self._ports.channels.note_facts(news.channel.id, facts)

    async def _errors(self, news: _Addressed) -> None:
        if news.channel is not None:
            errors = read_errors(news.item.value[ERRORS])
            await self._ports.stop_number.after_errors(news.channel, errors, news.received_at)

    async def _preferences(self, news: _Addressed) -> None:
        for choice in _objects(news.item.value, "user_preferences"):
            if choice.get("category") != "marketing_messages":
                continue
            contact = await self._ports.contacts.contact_named(
                news.organization_id, _names(choice.get("wa_id"), choice.get("user_id"))
            )
            if contact is not None:
                await self._ports.opt_outs.choose(
                    news.organization_id,
                    contact,
                    is_wanted=str(choice.get("value")).lower() == "resume",
                    chosen_at=provider_time(choice.get("timestamp"), news.received_at),
                )

    async def _new_ids(self, news: _Addressed) -> None:
        for change in _objects(news.item.value, "user_id_update"):
            for name in ("user_id", "parent_user_id"):
                ids = change.get(name)
                if isinstance(ids, dict):
                    await self._rename(news, change, ids)

    async def _rename(self, news: _Addressed, change: Json, ids: Json) -> None:
        current = ids.get("current")
        contact = await self._ports.contacts.contact_named(
            news.organization_id, _names(change.get("wa_id"), ids.get("previous"))
        )
        if contact is not None and isinstance(current, str) and 0 < len(current) <= MAX_PROVIDER_ID:
            await self._ports.contacts.learn_identifier(
                news.organization_id, contact, "bsuid", current, is_reply_address=False
            )


def _objects(value: Json, name: str) -> Iterator[Json]:
    found = value.get(name)
    if not isinstance(found, list):
        raise NotUnderstood(f"`{name}` is no list")
    return (each for each in found if isinstance(each, dict))


def _names(phone: Any, user_id: Any) -> list[tuple[str, str]]:
    names: list[tuple[str, str]] = []
    if isinstance(user_id, str) and user_id:
        names.append(("bsuid", user_id))
    if isinstance(phone, str):
        names += [("phone", writing) for writing in variants(phone) if writing]
    return names
